"""What ``unfreeze serve`` and ``unfreeze ui`` say when they cannot begin."""

import socket
from pathlib import Path

import pytest

from unfreeze.cli.main import exit_code_of
from unfreeze.core.errors import InputError
from unfreeze.server.running import listening_socket


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What looks like a model from outside."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("token", "arguments", "sentence"),
    [
        ("", ["--host", "0.0.0.0"], "Others can reach 0.0.0.0, so a token is wanted, and there is none."),
        ("x" * 32, ["--host", "0.0.0.0"], "Others can reach 0.0.0.0, so the name by which they do is wanted."),
        ("short", [], "A token of at least 16 ASCII characters is wanted, and UNFREEZE_TOKEN holds 5."),
        ("", ["--token-file", "nowhere"], "The token cannot be read from nowhere."),
        ("", ["--host", "192.0.2.1"], "Others can reach 192.0.2.1, so a token is wanted"),
    ],
)
def test_a_service_that_others_reach_needs_a_token_and_a_name(
    token: str, arguments: list[str], sentence: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each lack is said in a sentence that names what to give, before anything is loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNFREEZE_TOKEN", token)
        code = exit_code_of(["serve", str(model), *arguments])

    assert code == 2
    assert capsys.readouterr().err.startswith(f"unfreeze: {sentence}")


def test_a_port_that_is_taken_is_said() -> None:
    """With what to choose."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(InputError) as said:
            listening_socket("127.0.0.1", port)

    opening = f"The service cannot listen on 127.0.0.1, port {port} (address already in use)."
    assert str(said.value) == f"{opening} Choose another --port or --host."


def test_two_models_of_one_name_are_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With how to give one of them another."""
    monkeypatch.delenv("UNFREEZE_TOKEN", raising=False)

    code = exit_code_of(["serve", f"a={model}", f"a={model}", "--port", "0"])

    assert code == 2
    assert "Two models are called a" in capsys.readouterr().err


def test_a_folder_without_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As ``predict`` refuses it."""
    assert exit_code_of(["serve", str(tmp_path)]) == 2
    assert "is no model: config.json missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no folder nowhere. Give folders below which photos may be chosen."),
        (["model/config.json"], "There is no folder model/config.json. Give folders below which photos may be chosen."),
        (["--host", "0.0.0.0"], "Others can reach 0.0.0.0, so a token is wanted, and there is none."),
        (["--token-file", "nowhere"], "The token cannot be read from nowhere."),
    ],
)
def test_a_workbench_that_cannot_begin_says_why(
    arguments: list[str],
    sentence: str,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A root that is no folder; and what a service lacks that others reach."""
    monkeypatch.delenv("UNFREEZE_TOKEN", raising=False)
    monkeypatch.chdir(model.parent)

    assert exit_code_of(["ui", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"unfreeze: {sentence}")
