"""The report of a run."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from example_run import run_record
from unfreeze.core.facts import Similarity
from unfreeze.core.findings import finding
from unfreeze.core.photo_checks import LabelCheck, Suspect
from unfreeze.core.phrases import ON_PART
from unfreeze.core.records import SetAside
from unfreeze.core.run_record import RunRecord
from unfreeze.core.seeing import ClassNeighbours, CodeMap, HeatMap, Looks
from unfreeze.core.settings import Metric
from unfreeze.report.gallery import Pictures
from unfreeze.report.page import page, write_page

VOID = {"meta", "br", "img"}


class Tree(HTMLParser):
    """Checks nesting and collects tags and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It must close the last one that was opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember it."""
        self.text.append(data)


def shown_text(record: RunRecord) -> str:
    """What a reader sees, on one line."""
    return " ".join("".join(Tree(page(record)).text).split())


def test_the_page_is_whole_and_needs_nothing_else(mistaken: RunRecord) -> None:
    """Every tag is closed; there is no script, pictures are in the page, and links lead to places in it."""
    uri = "data:image/webp;base64,AAAA"
    tree = Tree(page(mistaken, Pictures(dict.fromkeys(mistaken.train_images, uri))))

    assert tree.open == []
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in tree.tags}
    assert not any(name.startswith("on") for _, attributes in tree.tags for name in attributes)
    places = {attributes["id"] for _, attributes in tree.tags if "id" in attributes}
    links = [attributes["href"] or "" for _, attributes in tree.tags if "href" in attributes]
    assert links
    assert {link[0] for link in links} == {"#"}
    assert {link[1:] for link in links} <= places
    assert {attributes["src"] for _, attributes in tree.tags if "src" in attributes} == {uri}
    policy = next(attributes["content"] for _, attributes in tree.tags if attributes.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_the_two_sentences_come_first(record: RunRecord) -> None:
    """Before any heading but the title, and the others after them; the statistics stand further down."""
    text = shown_text(record)
    first, second, *others = [" ".join(sentence.split()) for sentence in record.verdict]

    assert text.index(first) < text.index(second) < text.index("unfreeze predict model") < text.index("Steps")
    assert text.index(second) < text.index(others[-1]) < text.index("Steps")
    statistics = text.rindex("The statistics behind the answer")
    assert all(text.rindex(" ".join(sentence.split())) > statistics for sentence in record.details)


def test_probabilities_are_shown_before_and_after(record: RunRecord) -> None:
    """The report has both log-losses, the temperature and what each threshold costs; without them, no section."""
    text = shown_text(record)
    without = tuple(replace(one, calibration=None, log_likelihoods=()) for one in record.strategies)

    assert "divided by a temperature of 1.50" in text
    assert "on 400 held-out images the log-loss goes from 0.310 to 0.270 nats" in text
    assert "from 6.0 % to 2.0 %" in text
    assert "unfreeze predict model NEW-PHOTOS/ --csv --top 2" in text
    assert 'href="#thresholds"' in page(record)
    bare = page(replace(record, strategies=without))
    assert "probabilities" not in {one for tag, one in ids(bare)}
    assert "thresholds" not in {one for tag, one in ids(bare)}


def ids(html: str) -> list[tuple[str, str | None]]:
    """Tags with an id."""
    return [(tag, attributes["id"]) for tag, attributes in Tree(html).tags if "id" in attributes]


def test_a_contradicting_folder_is_an_alarm(record: RunRecord) -> None:
    """In the section of the folder, which comes before the strategies, with the advice."""
    alarm = finding("UF131", "Your own test folder contradicts the splits: so it is.", "Trust the folder.")
    html = page(replace(record, findings=(alarm, *record.findings)))

    assert html.count('role="alert"') == 1
    assert html.index('role="alert"') < html.index('id="strategies"')
    assert 'role="alert"' not in page(record)


def test_photos_of_the_test_folder_stand_in_its_section(mistaken: RunRecord) -> None:
    """What the delivered model gets wrong there comes before the strategies, with given and predicted class."""
    html = page(mistaken)
    folder = html[html.index('id="folder"') : html.index('id="strategies"')]

    assert "The surest of 150 mistakes of the delivered model on it" in folder
    assert folder.count('class="name"') == 24
    assert "test/1.jpg" in folder


def test_near_copies_are_shown_side_by_side(mistaken: RunRecord) -> None:
    """A finding on near copies has a section with its photos; without photos there is neither section nor name."""
    copies = finding("UF113", "2 photos are near copies.", images=("a/one of two.jpg", "a/two of two.jpg"))
    with_copies = replace(mistaken, findings=(copies,))
    uri = "data:image/webp;base64,AAAA"

    html = page(with_copies, Pictures({"a/one of two.jpg": uri}))

    section = html.split('id="alike"')[1].split("</details>")[0]
    assert section.index("one of two") < section.index("two of two")
    assert section.count("<img") == 1
    assert 'href="#alike"' in html
    assert "two of two" not in page(with_copies, None)
    assert 'id="alike"' not in page(mistaken)


def test_each_cell_of_the_matrix_leads_to_its_photos(mistaken: RunRecord) -> None:
    """The counts are those of the table; a cell with mistakes is a link to the place where they are, with names."""
    tree = Tree(page(mistaken))
    text = shown_text(mistaken)

    assert {attributes["href"] for _, attributes in tree.tags if "cell" in (attributes.get("href") or "")} == {
        "#cell-0-1",
        "#cell-1-0",
    }
    assert "given ants, called" in text
    assert [name for name in ("10.jpg", "21.jpg", "30.jpg") if name not in text] == []


def test_without_photos_no_file_is_named(mistaken: RunRecord) -> None:
    """Neither a picture nor the name of any image or folder; the matrix is there, without links into the photos."""
    tree = Tree(page(mistaken, None))
    text = "".join(tree.text)

    assert ".jpg" not in text
    assert "/photos" not in text
    assert "img" not in {tag for tag, _ in tree.tags}
    assert not any("cell" in (attributes.get("href") or "") for _, attributes in tree.tags)
    assert "unfreeze run PHOTOS" in text
    assert "How each class is recognised" in text


def test_photos_that_have_moved_are_named(mistaken: RunRecord) -> None:
    """Without their pictures, and a sentence says why."""
    tree = Tree(page(mistaken, Pictures(note="3 photos of 3 could not be read below /photos.")))
    text = "".join(tree.text)

    assert "3 photos of 3 could not be read below /photos." in text
    assert "10.jpg" in text
    assert "img" not in {tag for tag, _ in tree.tags}


def test_many_classes_have_a_list_in_place_of_a_matrix(mistaken: RunRecord) -> None:
    """With thirty classes the most frequent mistakes are listed, and the page says where the matrix is."""
    table = mistaken.by_class
    assert table is not None
    classes = 30
    confusion = np.diag(np.full(classes, 5))
    confusion[3, 7], confusion[4, 9] = 2, 4
    rows = (*table.classes, *table.classes[:1] * (classes - 2))
    many = replace(table, confusion=tuple(map(tuple, confusion.tolist())), classes=rows)
    names = tuple(f"kind {number}" for number in range(classes))
    text = shown_text(replace(mistaken, classes=names, by_class=many))

    assert "too many classes for a matrix" in text
    assert text.index("kind 4kind 94") < text.index("kind 3kind 72")


def test_strangers_names_stay_text(record: RunRecord) -> None:
    """Markup, template code and escapes in names and sentences are shown, not obeyed."""
    html = page(record)

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert "{{ 7*7 }}" in "".join(Tree(html).text)


def test_the_page_shows_the_records(record: RunRecord) -> None:
    """Every part of the record that a reader needs is there."""
    text = shown_text(record)

    shown = {
        "verdict": "Step one (the head alone) is not enough here",
        "score": "92.1 %",
        "interval": "89.1 to 94.6 %",
        "left out": "needs 40 min of 15 min",
        "why this metric": "The classes are about equally frequent.",
        "winner": "92.1 % on the splits that all of them have; corrected for having been picked as the best, 91.7 %",
        "step": "+4.2 points",
        "probabilities": "6 % / 62 % / 32 %",
        "settling": "about 300 to 500 more images would probably settle it",
        "confirmation": "90.3 to 96.0 %",
        "looks": "2 runs in this directory, this one included, have looked at the folder",
        "caveat": "Another set of training images would give another model: that is not in this interval.",
        "race": "unfreeze 4 was dropped after 5 splits",
        "fact": "much like the photos that it was trained on (similarity 0.62 of 1)",
        "audit": "all 3",
        "rule": "the rule held",
        "reused": "400 images had theirs from the store",
        "estimate": "about 320 to train and choose on, 80 to test",
        "learning curve": "Accuracy by number of training images",
        "more images": "With twice as many training images softmax on the last codes is expected to reach",
        "set aside": "truncated",
        "duplicate": "same pixels",
        "finding": "Few images. Add some.",
        "code": "UF104",
        "network": "tf_efficientnet_lite0",
        "setting": "unfreeze-4",
    }
    assert [part for part, expected in shown.items() if expected not in text] == []


def test_the_mark_of_a_score_on_part_of_the_images_is_explained(
    record: RunRecord, record_with_a_lucky_split: RunRecord
) -> None:
    """Below the table that has the mark, and below no other."""
    assert ON_PART in shown_text(record_with_a_lucky_split)
    assert "†" not in shown_text(record)


def test_a_step_without_probabilities_says_why(record: RunRecord) -> None:
    """Below five common splits there is no bar but a reason."""
    steps = tuple(replace(step, worse=None, equivalent=None, better=None) for step in record.comparisons)

    assert "too few splits" in shown_text(replace(record, comparisons=steps))


def test_without_a_test_folder_there_is_no_confirmation() -> None:
    """The section on the user's own test folder is there only if there is one."""
    assert "Your own test folder" not in shown_text(run_record(test_folder=False))


@pytest.mark.parametrize("metric", ["accuracy", "balanced accuracy", "log-loss"])
def test_every_metric_has_a_page(metric: Metric) -> None:
    """Scores and differences are in the unit of the metric that decides."""
    record = run_record(metric=metric)

    assert Tree(page(record)).open == []
    assert f"Decided by {metric}." in shown_text(record)
    assert ("+0.042 nats" if metric == "log-loss" else "+4.2 points") in shown_text(record)


def test_an_old_run_gives_the_same_page(record: RunRecord) -> None:
    """The document read back from run.json gives the page that the run gave."""
    assert page(RunRecord.from_json(json.loads(json.dumps(record.to_json())))) == page(record)


def test_an_interrupted_run_has_a_page(interrupted_record: RunRecord) -> None:
    """Where no strategy was measured, the page says so and still shows the depth curve."""
    text = "".join(Tree(page(interrupted_record)).text)

    assert "No split was finished, so nothing here is measured." in text
    assert "interrupted" in text
    assert "Depth curve" in text


def test_a_run_without_anything_has_a_page(interrupted_record: RunRecord) -> None:
    """Empty lists everywhere are no reason to fail."""
    record = replace(
        interrupted_record,
        facts=replace(interrupted_record.facts, similarity=Similarity(value=None, because="no BatchNorm")),
        depth_curve=(),
        set_aside=(),
        duplicates=(),
        findings=(),
        race=(),
        phases={},
        versions={},
        train_images=(),
        train_labels=(),
        train_groups=(),
        test_images=(),
        test_labels=(),
        test_groups=(),
        test_looks=0,
        folder_step=None,
        verdict=(),
    )

    assert Tree(page(record)).open == []
    assert "Nothing was measured." in shown_text(record)


def test_candidates_that_were_screened_have_a_section() -> None:
    """Each of the three with its score, its time and why it was left out; without a screening there is no section."""
    text = shown_text(run_record(screened=True))

    assert [
        part for part in ("Screening", "tf_efficientnet_lite0 at 224 *", "12.3", "-7.8 points") if part not in text
    ] == []
    assert "the largest network; about 6 min are needed, and 2 min of the screening are left" in text
    assert "LogME" not in shown_text(run_record())


def test_ways_of_resizing_that_were_screened_have_a_section() -> None:
    """Each with its difference to the usual way; without a screening there is no section."""
    text = shown_text(run_record(screened=True))

    assert [part for part in ("How photos become squares", "squash *", "+0.5 to +3.7") if part not in text] == []
    assert "How photos become squares" not in shown_text(run_record())


def test_the_page_is_written_as_utf_8(record: RunRecord, tmp_path: Path) -> None:
    """A name that is no text can be written."""
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")

    write_page(tmp_path / "report.html", replace(record, set_aside=(SetAside(name=name, reason="truncated"),)))

    assert "caf\\udce9.jpg" in (tmp_path / "report.html").read_text(encoding="utf-8")


def seen(record: RunRecord) -> RunRecord:
    """The same with a map of its first twenty images, and a heat map of a wrong photo and of a right one."""
    row = ClassNeighbours(images=10, same=0.9, among=((1, 0.1),))
    numbers = tuple(range(0, 1000, 50))
    found = CodeMap(codes="the last codes", images=tuple(range(20)), x=numbers, y=numbers, neighbours=(row,) * 2)
    maps = tuple(
        HeatMap(image=record.train_images[place], given=0, called=called, delivered=((0, 255), (0, 0)))
        for place, called in ((10, 1), (0, 0))
    )
    return replace(record, code_map=found, looks=Looks(photos="held out", layer="conv_head", maps=maps))


def test_the_map_of_codes_is_drawn(mistaken: RunRecord) -> None:
    """A mark for every image, a ring around the one that is wrong, and a table for who sees no picture."""
    tree = Tree(page(seen(mistaken), Pictures()))

    marks = [attributes for tag, attributes in tree.tags if tag == "use"]
    rings = [attributes for tag, attributes in tree.tags if tag == "circle" and attributes.get("class") == "wrong"]
    assert (len(marks), len(rings)) == (20, 1)
    assert "photos in the map" in " ".join(tree.text)
    assert "90.0 %" in " ".join(tree.text)


def test_heat_maps_show_wrong_photos_before_right_ones(mistaken: RunRecord) -> None:
    """Each under its heading, as far as there are pictures; else a sentence stands there."""
    record, uri = seen(mistaken), "data:image/webp;base64,AAAA"
    wrong = record.train_images[10]

    text = page(record, Pictures(heat={wrong: (("delivered network", uri),)}, heat_note="1 photo of 2 has moved."))

    assert "Called wrong" in text
    assert "Called right" not in text
    assert "1 photo of 2 has moved." in text


def test_why_there_is_nothing_to_see_is_said(record: RunRecord) -> None:
    """Of the map and of the heat maps."""
    lacking = replace(
        record, code_map=CodeMap(codes="the codes", note="No map."), looks=Looks(photos="held out", note="No looks.")
    )

    text = shown_text(lacking)

    assert "No map." in text
    assert "No looks." in text


def test_without_photos_the_map_names_no_file_and_nobody_looks(mistaken: RunRecord) -> None:
    """Marks say the classes alone."""
    record = seen(mistaken)

    text = page(record, None)

    assert 'id="map"' in text
    assert 'id="looks"' not in text
    assert not any(name in text for name in set(record.train_images) if len(name) > 4)


def test_doubtful_labels_and_a_test_folder_from_elsewhere_are_shown_with_their_photos(record: RunRecord) -> None:
    """Each suspect has its photo, both classes and its probability; without photos neither a section nor a name."""
    check = LabelCheck(
        judged=9, classifiers=2, suspects=(Suspect(image="7.jpg", given=0, called=1, probability=0.012, agree=1.0),)
    )
    doubtful = replace(
        record,
        label_check=check,
        findings=(
            finding("UF125", "A label looks wrong.", images=("7.jpg",)),
            finding("UF126", "A photo is unlike its class.", images=("8.jpg",)),
            finding("UF129", "Your own test folder is told apart.", images=("test/3.jpg",)),
        ),
    )
    uris = {name: f"data:image/webp;base64,{number}" for number, name in enumerate(("7.jpg", "8.jpg", "test/3.jpg"))}

    html = page(doubtful, Pictures(uris))
    without = page(doubtful, None)

    Tree(html)
    doubts = html[
        html.index('id="doubts"') : html.index('id="map"') if 'id="map"' in html else html.index('id="depth"')
    ]
    assert uris["7.jpg"] in doubts
    assert "(1 %)" in doubts
    assert uris["8.jpg"] in doubts
    folder = html[html.index('id="folder"') : html.index('id="strategies"')]
    assert "told apart" in folder
    assert uris["test/3.jpg"] in folder
    assert 'id="doubts"' not in without
    assert "8.jpg" not in without
