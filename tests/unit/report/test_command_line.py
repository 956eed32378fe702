"""The command that asks for the same again."""

import inspect
import shlex
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer
from typer.testing import CliRunner

from unfreeze.cli.run import run
from unfreeze.core.settings import EngineSettings, StudySettings
from unfreeze.report.command_line import command_line

ASKED = [
    StudySettings(source=Path("my photos")),
    StudySettings(source=Path("a.csv"), backbone=("lite0", "resnet18"), size="auto", strategies=(), photos=False),
    StudySettings(source=Path("p"), size=(224, 96), strategies=("scratch", "3"), metric="log-loss", margin=2.5),
    StudySettings(source=Path("/p"), size=96, weights=Path("w.pth"), request=EngineSettings("openvino", "int8")),
    StudySettings(source=Path("/p"), augment="none", metric="balanced accuracy", max_bad=0.5, seed=2**40, epochs=3),
    StudySettings(source=Path("/p"), rounds=2, budget_seconds=None, resize="pad"),
    StudySettings(source=Path("/p"), rounds=2, budget_seconds=900.0),
    StudySettings(source=Path("/p"), budget_seconds=None),
    StudySettings(source=Path("/p"), budget_seconds=90.5),
]


@pytest.mark.parametrize("settings", ASKED, ids=command_line)
def test_it_asks_for_the_same(settings: StudySettings) -> None:
    """The command line program reads the very settings back."""
    found: list[Any] = []
    app = typer.Typer()
    app.command()(inspect.unwrap(run))  # typer gives None for a flag that is not there, which our tests' types refuse

    def asked(given: StudySettings, _: object) -> None:
        found.append(given)
        raise SystemExit(0)

    with (
        patch("unfreeze.cli.run.checked_source"),
        patch("unfreeze.cli.run.checked_weights"),
        patch("unfreeze.cli.run.run_place", asked),
    ):
        CliRunner().invoke(app, shlex.split(command_line(settings))[2:])

    assert found == [settings]
