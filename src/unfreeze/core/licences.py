"""What a licence of weights says about selling what is made with them, by its name; no advice of a lawyer.

The names are SPDX's (spdx.org/licenses) and those that timm gives to its weights.
"""

import re
from typing import Literal

Sale = Literal["yes", "no", "read it", "unknown"]

_YES = re.compile(
    r"(apache-2\.0|mit(-0)?|bsd(-[234]-clause.*)?|isc|0bsd|zlib|unlicense|cc0-1\.0|cc-by-[1-4]\.0|cdla-permissive-.*|bsl-1\.0)"
)
_NO = re.compile(r"(.*-nc(-.*)?|.*non-?commercial.*|apple-amlr|seer-license|.*research-only.*)")
_UNKNOWN = frozenset({"", "unknown", "none", "other"})

SALE_SENTENCES: dict[Sale, str] = {
    "yes": "yes, as the licence says: keep its notice and its conditions",
    "no": "no: the licence is for uses that are not commercial",
    "read it": "read the licence: it has conditions of its own",
    "unknown": "not known: ask whoever made the weights",
}


def may_sell(licence: str) -> Sale:
    """Whether what is made with weights of this licence may be sold.

    Args:
        licence: In the words of the source, such as ``apache-2.0``.

    Returns:
        ``yes`` for licences that permit it with no more than a notice, ``no`` for those that exclude commercial use,
        ``read it`` for others that have a name, and ``unknown`` if there is none.
    """
    name = licence.strip().lower()
    if name in _UNKNOWN:
        return "unknown"
    if _NO.fullmatch(name):
        return "no"
    return "yes" if _YES.fullmatch(name) else "read it"
