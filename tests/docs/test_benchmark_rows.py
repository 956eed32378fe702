"""Which rows of benchmarks count as measured, and which the page shows, when runs come to measure in another way."""

import json
from pathlib import Path
from typing import Any

import pytest

PLANS = ("plan 1", "plan 2", "plan 4")


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of rows."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def measured(side: str, right: str, **protocol: str) -> dict[str, Any]:
    """A row of rivals: of three test images, which were right."""
    row = {"measure": "rivals", "set": "photos", "seed": 0, "side": side, "cores": 2, "right": {side: right}}
    if side == "run":
        row |= {"picked": side, "deliverable": [side], "metric": "accuracy", "labels": [0, 1, 1], "groups": [-1] * 3}
    return row | ({} if side == "timm" else {"budget": "10m"}) | protocol


def test_a_side_of_ours_is_measured_again_by_another_protocol_and_a_peer_is_not(scripts: Any, tmp_path: Path) -> None:
    """Rows of an earlier protocol do not stand for a run or a plan of today; what a peer gave stays what it is."""
    panel, rivals = scripts("panel"), scripts("rivals")
    sides = ("run", "plan 2", "timm")
    earlier = written(tmp_path / "earlier.jsonl", [measured(side, "110") for side in sides])
    today = written(tmp_path / "today.jsonl", [measured(side, "110", protocol=panel.PROTOCOL) for side in sides])

    def there(results: Path) -> list[bool]:
        return [
            panel.is_there(rivals.key_of("photos", 0, side, budget="10m", cores=2), results=results) for side in sides
        ]

    assert there(earlier) == [False, False, True]
    assert there(today) == [True, True, True]


def test_the_page_does_not_mix_protocols(scripts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of before are shown until one of today has its plans beside it, and plans of before are never beside it."""
    panel, regrets = scripts("panel"), scripts("regrets")
    today = {"protocol": panel.PROTOCOL}
    rows = [measured(side, "100") for side in ("timm", "run", *PLANS)]
    rows += [measured("run", "111", **today)]

    def shown() -> tuple[list[float], list[float]]:
        monkeypatch.setattr(regrets, "RIVALS", written(tmp_path / "rivals.jsonl", rows))
        (one,) = regrets.tested()["10m on 2 cores"]["photos"]
        assert list(one.peers) == ["timm timm"]
        return one.plans["run"].tolist(), one.plans["plan 2"].tolist()

    assert shown() == ([1, 0, 0], [1, 0, 0])
    rows += [measured(side, "110", **today) for side in PLANS]
    assert shown() == ([1, 1, 1], [1, 1, 0])
