"""``unfreeze inspect``."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from unfreeze.cli.options import AsJson, Source
from unfreeze.cli.output import Output, result_output
from unfreeze.cli.progress import progress_on_stderr
from unfreeze.report.wording import count

if TYPE_CHECKING:
    from unfreeze.data.image_set import ImageSet

SPLITS = ("train", "val", "test")
SHOWN = 20  # of a long list; --json has them all


def inspect(source: Source, *, json: AsJson = False) -> None:
    """Say what is in a folder."""
    with result_output(as_json=json) as out:
        from unfreeze.data.decoder_pool import DecoderPool
        from unfreeze.data.inspection import read_image_set

        with DecoderPool() as pool:
            # Looking at bad files is what this command is for, so none are too many.
            image_set = read_image_set(source, pool=pool, progress=progress_on_stderr(), max_bad=1.0)
        document = inspection(image_set, source=source)
        out.document(document)
        _show(document, out)


def inspection(image_set: "ImageSet", *, source: Path) -> dict[str, Any]:
    """What `unfreeze inspect --json` prints.

    Args:
        image_set: The inspected images.
        source: What the user named.

    Returns:
        A document without NumPy or paths, ready for JSON.
    """
    images = image_set.images
    splits = Counter(image.split for image in images)
    counts = image_set.counts
    return {
        "schema": "unfreeze.inspect/1",
        "source": str(source),
        "images": {
            "found": counts.found,
            "used": counts.used,
            "set_aside": counts.set_aside,
            "duplicates_removed": counts.duplicates_removed,
        },
        "classes": [_class_row(name, image_set) for name in image_set.classes],
        "splits": {
            "given": any(splits[name] for name in SPLITS),
            "images": {name: splits[name] for name in SPLITS if splits[name]},
        },
        "groups": len({image.group for image in images if image.group}),
        "width": _spread([image.width for image in images]),
        "height": _spread([image.height for image in images]),
        "modes": dict(Counter(image.mode for image in images).most_common()),
        "flags": dict(Counter(flag for image in images for flag in image.flags).most_common()),
        "set_aside": [{"name": item.name, "reason": item.reason} for item in image_set.set_aside],
        "duplicates": [{"name": item.name, "same_as": item.same_as, "why": item.why} for item in image_set.duplicates],
        "skipped": dict(image_set.skipped),
        "warnings": list(image_set.warnings),
    }


def _class_row(name: str, image_set: "ImageSet") -> dict[str, Any]:
    splits = Counter(image.split for image in image_set.images if image.label == name)
    return {"name": name, "images": splits.total(), **{split: splits[split] for split in SPLITS if splits[split]}}


def _spread(values: Sequence[int]) -> dict[str, float]:
    return {"min": min(values), "median": median(values), "max": max(values)} if values else {}


def _show(document: dict[str, Any], out: Output) -> None:
    if out.as_json:
        return
    from unfreeze.report.table import add_row, plain_table

    images = document["images"]
    out.line(
        f"{count(images['found'], 'file')} found: {images['used']:,} used, {images['set_aside']:,} set aside, "
        f"{images['duplicates_removed']:,} duplicates removed; {count(len(document['classes']), 'class')}"
    )
    out.line(_sizes(document))
    out.line(_split_sentence(document))
    out.line()
    columns = [split for split in SPLITS if split in document["splits"]["images"]]
    table = plain_table("class", "images", *columns, right={"images", *columns})
    for row in document["classes"]:
        add_row(table, (row["name"], f"{row['images']:,}", *(f"{row.get(split, 0):,}" for split in columns)))
    out.table(table)
    _show_list(out, "Set aside", [f"{item['name']}: {item['reason']}" for item in document["set_aside"]])
    _show_list(
        out,
        "Duplicates removed",
        [f"{item['name']} = {item['same_as']}: {item['why']}" for item in document["duplicates"]],
    )
    _show_list(out, "Skipped", [f"{number:,} {reason}" for reason, number in document["skipped"].items()])
    _show_list(out, "Notes", [f"{number:,} {flag}" for flag, number in document["flags"].items()])
    _show_list(out, "Warnings", document["warnings"])


def _sizes(document: dict[str, Any]) -> str:
    width, height = document["width"], document["height"]
    modes = ", ".join(f"{number:,} {mode}" for mode, number in document["modes"].items())
    return (
        f"{width['min']} to {width['max']} pixels wide (median {width['median']:.0f}), "
        f"{height['min']} to {height['max']} high (median {height['median']:.0f}); {modes}"
    )


def _split_sentence(document: dict[str, Any]) -> str:
    groups = f"; {count(document['groups'], 'group')}" if document["groups"] else ""
    if not document["splits"]["given"]:
        kept = f"{groups}, each kept on one side" if groups else ""
        return f"No split is given: unfreeze run measures on repeated splits, probe and tune keep a test part{kept}"
    parts = ", ".join(f"{number:,} {name}" for name, number in document["splits"]["images"].items())
    return f"The split is given: {parts}{groups}"


def _show_list(out: Output, title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    out.line()
    out.line(f"{title} ({len(lines):,}):")
    for line in lines[:SHOWN]:
        out.line(f"  {line}")
    if len(lines) > SHOWN:
        out.line(f"  and {len(lines) - SHOWN:,} more; --json names them all")
