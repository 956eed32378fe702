"""Files that hold pictures and are not read: which they are, by name or by content, and what to do about it."""

import os
from collections.abc import Mapping
from types import MappingProxyType

from unfreeze.images.camera_raw import SUFFIXES as RAW_SUFFIXES

CAMERA_RAW = "camera RAW (not read: export it as JPEG)"
_DICOM = "DICOM (not read: export it as PNG)"
_NIFTI = "NIfTI (not read: export slices as PNG)"
_VIDEO = "video (not read: export frames as JPEG)"
_PDF = "PDF (not read: export pages as PNG)"
_VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".mts", ".m2ts", ".ogv",
)  # fmt: skip
_BY_SUFFIX: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(RAW_SUFFIXES, CAMERA_RAW)
    | dict.fromkeys((".dcm", ".dicom", ".ima"), _DICOM)
    | dict.fromkeys((".nii",), _NIFTI)
    | dict.fromkeys(_VIDEO_SUFFIXES, _VIDEO)
    | {".pdf": _PDF}
)
# By the name that the decoder gives a format that it knows and does not read.
_BY_FORMAT: Mapping[str, str] = MappingProxyType({"DICOM": _DICOM, "NIfTI": _NIFTI, "video": _VIDEO, "PDF": _PDF})


def foreign_by_name(name: str) -> str:
    """What a file with this name is that is not read.

    Args:
        name: Of the file.

    Returns:
        Words for a count of such files, with what to do; empty for files that may be read.

    Example:
        >>> foreign_by_name("scan.nii.gz")
        'NIfTI (not read: export slices as PNG)'
    """
    small = name.lower()
    suffix = os.path.splitext(small.removesuffix(".gz"))[1]  # noqa: PTH122 - a million times
    return _BY_SUFFIX.get(suffix, "")


def foreign_by_content(reason: str) -> str:
    """As `foreign_by_name`, of a file that the decoder has refused.

    Args:
        reason: As the decoder says it.
    """
    code, _, name = reason.partition(": ")
    if code == "camera-raw":
        return CAMERA_RAW
    return _BY_FORMAT.get(name, "") if code == "format-not-allowed" else ""
