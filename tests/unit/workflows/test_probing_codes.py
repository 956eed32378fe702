"""Linear classifiers on codes that lie in files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from unfreeze.core.documents import ProbeRecord
from unfreeze.core.errors import InputError
from unfreeze.core.progress import SILENT
from unfreeze.report.comma_separated import csv_text
from unfreeze.workflows.codes_on_disk import are_codes, read_codes_on_disk
from unfreeze.workflows.probing_codes import probe_codes

ROWS = 600
CODES, NUMBERS = load_digits(return_X_y=True)
CODES, NUMBERS = CODES[:ROWS].astype(np.float32), NUMBERS[:ROWS]
LABELS = [f"digit {number}" for number in NUMBERS]
PARTS = ["test" if row % 4 == 1 else "train" for row in range(ROWS)]
PATHS = [f"{row}, a.png" for row in range(ROWS)]
TAPS = {"blocks.2": CODES[:, ::4], "blocks.10": CODES}


def parquet(folder: Path, *, labels: list[str | None] = LABELS, parts: list[str] = PARTS) -> Path:
    """A file as `unfreeze codes` writes it, in groups of 128 rows."""
    columns = {"path": pa.array(PATHS), "label": pa.array(labels, pa.string()), "split": pa.array(parts)}
    for tap, codes in TAPS.items():
        flat = pa.array(np.ascontiguousarray(codes).ravel())
        columns[tap] = pa.FixedSizeListArray.from_arrays(flat, codes.shape[1])
    pq.write_table(pa.table(columns), folder / "codes.parquet", row_group_size=128, write_page_checksum=True)
    return folder / "codes.parquet"


def arrays(folder: Path, *, rows: int = ROWS) -> Path:
    """The same as arrays, with their names beside them."""
    for tap, codes in TAPS.items():
        np.save(folder / f"codes.{tap}.npy", codes[:rows])
    text = csv_text([("path", "label", "split"), *zip(PATHS, LABELS, PARTS, strict=True)])
    (folder / "codes.csv").write_text(text, newline="")
    return folder / "codes.npy"


def accuracies(record: ProbeRecord) -> list[float]:
    """On the test part, tap by tap."""
    return [point.accuracy for point in record.depth_curve]


def of_scikit_learn(tap: str, C: float) -> float:
    """Accuracy of scikit-learn's softmax on the test part."""
    test = np.array(PARTS) == "test"
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000))
    return float(pipeline.fit(TAPS[tap][~test], NUMBERS[~test]).score(TAPS[tap][test], NUMBERS[test]))


@pytest.mark.parametrize("write", [parquet, arrays])
def test_accuracy_is_that_of_scikit_learn_at_the_same_penalty(tmp_path: Path, write: type) -> None:
    """At every tap, in the order of depth, the softmax is right on as many test rows as scikit-learn's, but for one."""
    source = write(tmp_path)

    record = probe_codes(source, SILENT, losses=["softmax"])

    assert are_codes(source)
    assert [point.tap for point in record.depth_curve] == ["blocks.2", "blocks.10"]
    assert (record.train_images, record.test_images) == (450, 150)
    for point in record.depth_curve:
        assert abs(point.accuracy - of_scikit_learn(point.tap, point.C)) <= 1 / 150


@pytest.mark.parametrize("parts", [PARTS, sorted(PARTS)], ids=["mixed", "one after the other"])
@pytest.mark.parametrize("loss", ["softmax", "svm"])
def test_codes_larger_than_memory_give_the_same_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str, parts: list[str]
) -> None:
    """Codes that are read in blocks, C chosen on all rows, are as accurate on the test part as codes in memory."""
    source = parquet(tmp_path, parts=parts)
    whole = probe_codes(source, SILENT, losses=[loss])
    monkeypatch.setattr("unfreeze.probes.solver._MOST_IN_MEMORY", 1000)

    blocks = probe_codes(source, SILENT, losses=[loss])

    assert [point.C for point in blocks.depth_curve] == [point.C for point in whole.depth_curve]
    np.testing.assert_allclose(accuracies(blocks), accuracies(whole), atol=1 / 150)


def test_without_a_test_part_a_fifth_is_drawn(tmp_path: Path) -> None:
    """As of photos without a test part, 20 % of each class are held out."""
    record = probe_codes(parquet(tmp_path, parts=[""] * ROWS), SILENT, tap="last", losses=["softmax"])

    assert record.test_images == pytest.approx(ROWS / 5, abs=5)
    assert len(record.depth_curve) == 1


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """An array with fewer rows than names, rows without a label, and names that are missing get a sentence each."""
    few = arrays(tmp_path, rows=500)
    with pytest.raises(InputError, match=r"should hold 600 rows.*\(500, 16\)"):
        probe_codes(few, SILENT)
    (tmp_path / "codes.csv").unlink()
    with pytest.raises(InputError, match=r"codes\.csv is missing"):
        read_codes_on_disk(few)
    with pytest.raises(InputError, match=r"no other\.TAP\.npy beside it"):
        read_codes_on_disk(tmp_path / "other.npy")
    for nothing in ("", None):
        with pytest.raises(InputError, match="rows without a label"):
            read_codes_on_disk(parquet(tmp_path, labels=[nothing, *LABELS[1:]]))


def test_a_list_of_photos_is_no_file_of_codes(tmp_path: Path) -> None:
    """A Parquet list of photos, a damaged file and a CSV list are read as what they are."""
    pq.write_table(pa.table({"path": ["a.png"], "label": ["a"]}), tmp_path / "list.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 no more")

    assert not any(are_codes(tmp_path / name) for name in ("list.parquet", "damaged.parquet", "list.csv"))
