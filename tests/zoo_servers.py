"""Servers that tests of zoos really ask: a folder on the web, and a stand-in for the Hugging Face Hub.

The stand-in speaks the routes that huggingface_hub calls to publish and to download: whoami, creating a repository, its
state, preupload, commits with a parent, Git LFS (batch, upload in one or several parts, verify) and resolve.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

TOKEN = "hf_of_the_tests"
PART = 20_000  # bytes of a part of a large file
LARGE = 1000  # bytes from which a file goes by way of Git LFS


@contextlib.contextmanager
def serving(handler: Any) -> Iterator[str]:
    """A started server; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def served_folder(folder: Path) -> Iterator[str]:
    """A folder on the web."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Nothing is printed."""

    with serving(partial(Quiet, directory=str(folder))) as address:
        yield address


class Hub:
    """What the stand-in knows.

    Attributes:
        commits: Of each repository, oldest first: its files.
        large: What was uploaded by Git LFS, by SHA-256.
        conflicts: How many commits were refused since their parent was not the latest.
        parts: How many parts of large files were uploaded.
        together: So many commits have to arrive before the first is looked at.
    """

    def __init__(self) -> None:
        self.address = ""
        self.commits: dict[str, list[dict[str, bytes]]] = {}
        self.large: dict[str, bytes] = {}
        self.pieces: dict[str, dict[int, bytes]] = {}
        self.conflicts = self.parts = 0
        self.lock = threading.Lock()
        self.together: threading.Barrier | None = None

    def add(self, repository: str, files: dict[str, bytes]) -> None:
        """A repository with these files, or a commit that adds them to it."""
        history = self.commits.setdefault(repository, [])
        history.append({**(history[-1] if history else {}), **files})

    def files(self, repository: str) -> dict[str, bytes]:
        """Latest files."""
        return self.commits[repository][-1]

    def revision(self, repository: str, place: int = -1) -> str:
        """The hash of a commit; the latest one's by default."""
        number = range(len(self.commits[repository]))[place]
        return hashlib.sha1(f"{repository} {number}".encode()).hexdigest()

    def commit(self, repository: str, lines: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        """What the Hub does with a commit."""
        if self.together is not None:
            with contextlib.suppress(threading.BrokenBarrierError):
                self.together.wait(10)
        with self.lock:
            if lines[0]["value"].get("parentCommit") != self.revision(repository):
                self.conflicts += 1
                return 412, {"error": "A commit has happened since. Please refresh and try again."}
            files = dict(self.files(repository))
            for line in lines[1:]:
                value = line["value"]
                known = line["key"] == "lfsFile"
                content = self.large[value["oid"]] if known else base64.b64decode(value["content"])
                files[value["path"]] = content
            self.commits[repository].append(files)
            revision = self.revision(repository)
        return 200, {"success": True, "commitOid": revision, "commitUrl": f"{self.address}/{repository}/commit/x"}


@contextlib.contextmanager
def standing_in_for_the_hub() -> Iterator[Hub]:
    """A started stand-in; `address` of what it gives is for HF_ENDPOINT."""
    hub = Hub()

    class Handler(_HubHandler):
        known = hub

    with serving(Handler) as address:
        hub.address = address
        yield hub


def ask(hub: Hub, patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Let huggingface_hub, in this process, ask the stand-in, and keep what it downloads in a folder of the test."""
    patch.setattr(constants, "ENDPOINT", hub.address)
    patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}")
    patch.setattr(constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)


class _HubHandler(BaseHTTPRequestHandler):
    known: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def answer(self, status: int, document: Any = None, *, data: bytes | None = None, **headers: str) -> None:
        body = json.dumps(document).encode() if data is None else data
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/api/whoami-v2":
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            self.answer(200 if known else 401, {"name": "me", "type": "user"} if known else {"error": "Unauthorized"})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/main)?", path):
            self.state(found[1])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.resolve(*found.groups())
        else:
            self.answer(404, {"error": path})

    def state(self, repository: str) -> None:
        if repository not in self.known.commits:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return
        files = [{"rfilename": name} for name in self.known.files(repository)]
        about = {"id": repository, "modelId": repository, "sha": self.known.revision(repository), "siblings": files}
        self.answer(200, {**about, "private": False, "downloads": 0, "likes": 0, "tags": []})

    def resolve(self, repository: str, revision: str, path: str) -> None:
        if repository not in self.known.commits:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return
        history = self.known.commits[repository]
        by_hash = {self.known.revision(repository, place): files for place, files in enumerate(history)}
        commit = self.known.revision(repository) if revision == "main" else revision
        if (data := by_hash[commit].get(path)) is None:
            self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
            return
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        self.answer(200, data=data, X_Repo_Commit=commit, ETag=etag, Accept_Ranges="bytes")

    def do_PUT(self) -> None:
        found = re.fullmatch(r"/upload/([0-9a-f]{64})(?:/(\d+))?", self.path)
        assert found is not None
        data = self.body()
        if found[2]:
            self.known.pieces.setdefault(found[1], {})[int(found[2])] = data
            self.known.parts += 1
        else:
            self.known.large[found[1]] = data
        self.answer(200, {}, ETag=hashlib.md5(data).hexdigest())

    def do_POST(self) -> None:
        path, hub, data = self.path.partition("?")[0], self.known, self.body()
        if path.startswith("/complete/"):
            oid = path.rpartition("/")[2]
            numbers = [part["partNumber"] for part in json.loads(data)["parts"]]
            hub.large[oid] = b"".join(hub.pieces[oid][number] for number in numbers)
            self.answer(200, {})
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            asked = json.loads(data)
            repository = f"{asked['organization'] or 'me'}/{asked['name']}"
            if repository.startswith("others/"):
                self.answer(403, {"error": "You don't have the rights to create a model under this namespace"})
                return
            known = repository in hub.commits
            with hub.lock:
                hub.commits.setdefault(repository, [{".gitattributes": b"*.safetensors filter=lfs\n"}])
            self.answer(409 if known else 200, {"url": f"{hub.address}/{repository}"})
        elif path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif path.endswith(".git/info/lfs/objects/batch"):
            self.answer(
                200, {"transfer": "basic", "objects": [self.large_file(one) for one in json.loads(data)["objects"]]}
            )
        elif path == "/verify":
            asked = json.loads(data)
            right = hashlib.sha256(hub.large[asked["oid"]]).hexdigest() == asked["oid"]
            self.answer(200 if right else 422, {})
        elif path.endswith("/preupload/main"):
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["size"] >= LARGE else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(data)["files"]
            ]
            self.answer(200, {"files": files})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self.answer(*hub.commit(found[1], [json.loads(line) for line in data.splitlines()]))
        else:
            self.answer(404, {"error": path})

    def large_file(self, one: dict[str, Any]) -> dict[str, Any]:
        """Where a large file goes: nowhere if it is here, in parts if it is longer than one."""
        hub, oid = self.known, one["oid"]
        if oid in hub.large:
            return one
        upload: dict[str, Any] = {"href": f"{hub.address}/upload/{oid}"}
        if one["size"] > PART:
            count = -(-one["size"] // PART)
            parts = {f"{number:05}": f"{hub.address}/upload/{oid}/{number}" for number in range(1, count + 1)}
            upload = {"href": f"{hub.address}/complete/{oid}", "header": {"chunk_size": str(PART), **parts}}
        return {**one, "actions": {"upload": upload, "verify": {"href": f"{hub.address}/verify"}}}
