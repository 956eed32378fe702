"""Findings: one thing noticed about the images, the run or the model, with what to do about it.

Each has a code of its own, and a section in ``docs/reference/findings.md`` that says how it is detected and why it
matters.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Literal

Severity = Literal["note", "warning"]

NAMED_IMAGES = 100  # at most, of those that a finding concerns

# Severity and title by code. UF1xx, then 0: of the images; 2: rules of thumb; 3: of what was picked.
KINDS: MappingProxyType[str, tuple[Severity, str]] = MappingProxyType(
    {
        "UF101": ("warning", "The same picture lies in two classes"),
        "UF102": ("warning", "Exact copies lie in two parts of a split"),
        "UF103": ("warning", "The classes are strongly imbalanced"),
        "UF104": ("warning", "A class has very few images"),
        "UF105": ("note", "Most images are small"),
        "UF106": ("warning", "A group lies in the test part and in the rest"),
        "UF107": ("note", "Files lie beside the class folders"),
        "UF108": ("note", "The photos are smaller than the network's input"),
        "UF109": ("note", "Folders were read in another way than their names say"),
        "UF110": ("note", "Folders below the class folders are not told apart"),
        "UF111": ("warning", "Something beside the class folders was left out"),
        "UF112": ("note", "A list was read in another way than it is written"),
        "UF113": ("note", "Photos are near copies of others"),
        "UF114": ("warning", "Near copies lie in two classes"),
        "UF115": ("warning", "Near copies lie in the test part and in the rest"),
        "UF116": ("warning", "Photos come in series, and other series are recognised less well"),
        "UF118": ("note", "Photos lie beside others of the same name"),
        "UF119": ("note", "Photos of 16 bits use a part of their range"),
        "UF120": ("note", "No rule of thumb applies"),
        "UF121": ("note", "Few images like the source's: linear classifier on the last codes"),
        "UF122": ("note", "Few images unlike the source's: linear classifier on earlier codes"),
        "UF123": ("note", "Many images like the source's: fine-tune the whole network"),
        "UF124": ("note", "Many images unlike the source's: train the whole network from the pretrained weights"),
        "UF125": ("warning", "Labels look wrong"),
        "UF126": ("note", "Photos are unlike all others of their class"),
        "UF127": ("warning", "Size, blur or darkness gives classes away"),
        "UF128": ("warning", "The frame of the photos gives classes away"),
        "UF129": ("warning", "Your own test folder is told from the photos to learn from"),
        "UF130": ("warning", "The picked strategy is no better than always naming one class"),
        "UF131": ("warning", "Your own test folder contradicts the splits"),
        "UF132": ("warning", "The model has learned from photos that it is scored on"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing noticed.

    Attributes:
        code: ``UF`` and three digits; one of `KINDS`.
        severity: note, or warning: what may make the answer of a run wrong, or cost images.
        sentence: What was noticed.
        advice: What to do; empty where there is nothing to do.
        images: Names of the images concerned, the first `NAMED_IMAGES` of them; empty where it is about all of them.
    """

    code: str
    severity: Severity
    sentence: str
    advice: str = ""
    images: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Sentence and advice."""
        return f"{self.sentence} {self.advice}".strip()


def finding(code: str, sentence: str, advice: str = "", *, images: Iterable[str] = ()) -> Finding:
    """A finding of a known kind.

    Args:
        code: One of `KINDS`.
        sentence: What was noticed, with its numbers.
        advice: What to do.
        images: Names of the images concerned; what is beyond `NAMED_IMAGES` is left out.

    Returns:
        The finding, with the severity of its kind.

    Raises:
        KeyError: There is no such kind: our own mistake.
    """
    severity, _ = KINDS[code]
    return Finding(
        code=code, severity=severity, sentence=sentence, advice=advice, images=tuple(islice(images, NAMED_IMAGES))
    )
