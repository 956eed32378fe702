"""Room on a disk, before the work."""

import shutil
from pathlib import Path

import pytest

from unfreeze.core.errors import DiskFullError
from unfreeze.core.room import check_room, model_bytes


def test_what_does_not_fit_is_said_before_the_work(tmp_path: Path) -> None:
    """More than the disk has is refused, with both numbers and exit code 4; what fits is not."""
    check_room(tmp_path / "not" / "there", 0, "the codes")

    with pytest.raises(DiskFullError, match=r"the codes need about .*, and .* has .* free\. Make room") as caught:
        check_room(tmp_path / "not" / "there", 10 * shutil.disk_usage(tmp_path).total, "the codes")
    assert caught.value.exit_code == 4


def test_a_system_that_does_not_say_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where room cannot be asked for, the work begins."""

    def no_answer(path: Path) -> None:
        raise OSError(path)

    monkeypatch.setattr(shutil, "disk_usage", no_answer)
    check_room(tmp_path, 2**80, "the codes")


def test_a_model_takes_its_weights_twice() -> None:
    """EfficientNet-Lite0 has 4,652,008 parameters of four bytes, in the weights and in the program."""
    assert model_bytes(4_652_008) == 2 * 18_608_032
