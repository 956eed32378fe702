"""R5, R6: single bits flip in everything that is written or shipped; damage is seen, or changes nothing."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faultlab.lab import NETWORK, Lab, Try, digest, fresh
from unfreeze.core.errors import UnfreezeError
from unfreeze.core.journal import FileJournal
from unfreeze.core.run_folder import owned_run, read_plan
from unfreeze.core.settings import StudySettings
from unfreeze.store.documents import keep_document, kept_document
from unfreeze.store.shards import DamagedShardError, read_shard
from unfreeze.zoo.backbones import load_backbone
from unfreeze.zoo.folders import read_model, save_model
from unfreeze.zoo.model_config import read_config
from unfreeze.zoo.networks import parse_name
from unfreeze.zoo.weights import bundled_file, bundled_weights

Reader = Callable[[Path], Any]
PARTS = ("config", "weights", "journal", "document", "shard", "bundled", "plan")
DAMAGE = "damage was seen"


def flip(path: Path, rng: random.Random) -> int:
    """Flip one bit of a file that is not empty, and say in which byte."""
    data = bytearray(path.read_bytes())
    place = rng.randrange(len(data))
    data[place] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return place


def parts(lab: Lab) -> dict[str, tuple[Path, Reader]]:
    """By part: a whole file, and what reads it back; a reader raises an error of ours, or gives None, for damage."""
    folder = fresh(lab.work / "parts")
    assert lab.right_codes
    network = load_backbone(NETWORK, size=32, pretrained=False).with_classes(3)
    save_model(folder / "model", network, class_names=("ants", "bees", "cats"), card_text="")
    journal = FileJournal(folder / "state", elapsed=lambda: 1.5, turn_to=lambda _: None)
    journal.keep("entry", [1.25, 2.5])
    keep_document(folder / "document.json", {"batch": [0.25, 1.5], "layout": "NCHW"})
    name = parse_name("lite0")
    bundled = bundled_file(name)
    assert bundled is not None
    (shard,) = (lab.work / "codes-cache").glob("codes/*/*.parquet")
    store = fresh(folder / shard.parent.name)  # a shard says to which store it belongs
    shutil.copy(shard, store / shard.name)
    found: dict[str, tuple[Path, Reader]] = {
        "config": (folder / "model" / "config.json", lambda path: read_config(path.parent)),
        "weights": (folder / "model" / "model.safetensors", lambda path: read_model(path.parent).class_names),
        "journal": (folder / "state" / "entry.json", lambda _: journal.kept("entry", list[float])),
        "document": (folder / "document.json", kept_document),
        "shard": (store / shard.name, lambda path: repr(read_shard(path))),
        "bundled": (
            Path(shutil.copy(bundled, folder / bundled.name)),
            lambda path: sorted(bundled_weights(name, path)),
        ),
    }
    begun = folder / "begun"
    with owned_run(begun, StudySettings(source=lab.photos)):
        shutil.copy(begun / "plan.json", folder / "plan.json")
    found["plan"] = (folder / "plan.json", lambda path: read_plan(path.parent))
    return found


def flipped(part: str, path: Path, read: Reader, rng: random.Random, *, times: int) -> list[Try]:
    """R5: flip a bit, read, and put it right again, so many times."""
    whole, right, tries = path.read_bytes(), repr(read(path)), []
    for _ in range(times):
        place = flip(path, rng)
        try:
            value = read(path)
            seen = DAMAGE if value is None else "nothing changed" if repr(value) == right else "SILENT"
        except (UnfreezeError, DamagedShardError):
            seen = DAMAGE
        except Exception as error:
            seen = f"traceback: {error!r}"[:200]
        finally:
            path.write_bytes(whole)
        wrong = "" if seen in {DAMAGE, "nothing changed"} else f"{seen} (byte {place})"
        tries.append(Try(goal="R5", case=f"bit of {part}", wrong=wrong, seen=seen))
    return tries


def kept_graph_flipped(lab: Lab, rng: random.Random) -> Try:
    """R5: flip a bit of something that is kept beside the codes; codes that are made with it are the right ones."""
    assert lab.right_openvino
    cache = fresh(lab.work / "cache", like=lab.work / "openvino-cache")
    shutil.rmtree(cache / "codes")
    path = rng.choice(sorted(path for path in cache.rglob("*") if path.is_file() and path.stat().st_size))
    flip(path, rng)
    out = fresh(lab.work / "out") / "codes.parquet"
    code = lab.warm.run(lab.codes(out, engine="openvino"), cache=cache)
    wrong = "" if code == 0 and digest(out) == lab.right_openvino else f"exit {code}: {lab.warm.said()[-200:]}"
    return Try(goal="R5", case=f"bit of {path.parent.parent.name}/*/{path.suffix}", wrong=wrong, seen=f"exit {code}")


def shard_lost(lab: Lab, rng: random.Random) -> Try:
    """R6: of three shards one is damaged: `verify` says so, its photos alone are computed again, to the same bits."""
    cache, out = fresh(lab.work / "cache", like=_three_shards(lab)), fresh(lab.work / "out")
    path = rng.choice(sorted(cache.glob("codes/*/*.parquet")))
    rows = len(read_shard(path)[0])
    flip(path, rng)
    wrong = [] if lab.warm.run(["cache", "verify"], cache=cache) == 2 else ["verify saw nothing"]
    lab.done(["cache", "repair"], cache=cache)
    wrong += [] if lab.warm.run(["cache", "verify"], cache=cache) == 0 else ["verify after repair"]
    lab.done([*lab.codes(out / "codes.parquet"), "--json"], cache=cache)
    said = lab.warm.said()
    wrong += [] if f'"computed": {rows}' in said else [f"not {rows} computed: {said[-300:]}"]
    wrong += [] if digest(out / "codes.parquet") == lab.right_codes else ["the codes differ"]
    return Try(goal="R6", case="a shard of three", wrong="; ".join(wrong), seen=f"{rows} computed again")


def _three_shards(lab: Lab) -> Path:
    cache = lab.work / "three-shards"
    if cache.exists():
        return cache
    assert lab.right_codes
    for number in range(3):
        part = fresh(lab.work / "part")
        for photo in sorted(lab.photos.rglob("*.*"))[number::3]:
            (part / photo.parent.name).mkdir(exist_ok=True)
            shutil.copy(photo, part / photo.parent.name)
        lab.done(lab.codes(lab.work / "reference" / f"part-{number}.parquet", photos=part), cache=cache)
    return cache
