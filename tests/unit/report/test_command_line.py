"""The command that asks for the same again."""

import inspect
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer
from typer.testing import CliRunner

from unfreeze.cli.run import run
from unfreeze.core.settings import EngineSettings, StudySettings
from unfreeze.report.command_line import _OPTIONS, command_line, without_paths

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


def test_every_setting_has_an_option() -> None:
    """A new field of the settings is not forgotten: each is written, or asks for something of its own."""
    of_their_own = {"source", "budget_seconds", "request", "photos", "exclude"}

    assert {*_OPTIONS, *of_their_own} == {each.name for each in fields(StudySettings)}


def test_no_path_is_left() -> None:
    """Neither that of the photos nor that of the weights."""
    settings = StudySettings(source=Path("/home/me/p"), weights=Path("/home/me/w.pth"), seed=3)

    assert command_line(without_paths(settings)) == "unfreeze run PHOTOS --weights WEIGHTS --seed 3 --no-photos"


def test_classes_that_were_left_out_are_left_out_again() -> None:
    """Each by its own option, with quotes where a shell needs them."""
    settings = StudySettings(source=Path("p"), exclude=("a", "b c"), test=Path("t"), threads=2)

    assert command_line(settings) == "unfreeze run p --test t --threads 2 --exclude a --exclude 'b c'"
