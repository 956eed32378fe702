"""What a file given as weights is, by what is in it, never by its suffix; and what to do with one of another kind."""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Literal

from unfreeze.core.errors import WeightsError

Kind = Literal["safetensors", "torch"]

_STATE_DICT = "Where it was made, save the tensors alone: torch.save(model.state_dict(), 'weights.pth')."
_SAME_NETWORK = "Give PyTorch weights of the same network (.safetensors or .pth)."
_AGAIN = "Download the file itself again."
_UNPACK = "Unpack it, and give the .safetensors or .pth in it."
# Of torch.save before PyTorch 1.6: a pickled number, by which it knows its own files.
_OLD_TORCH = re.compile(rb"\x80.(?:\x95.{8})?\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\.", re.DOTALL)
# First bytes, what they mean, and what to do.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", _SAME_NETWORK),
    (b"\x93NUMPY", "an array of NumPy", _SAME_NETWORK),
    (b"GGUF", "a GGUF file, as language models are kept in", _SAME_NETWORK),
    (b"\x1f\x8b", "packed by gzip", _UNPACK),
    (b"BZh", "packed by bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "packed by xz", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", _UNPACK),
    (b"\x89PNG", "a picture", "Give a .safetensors or .pth file."),
    (b"\xff\xd8\xff", "a picture", "Give a .safetensors or .pth file."),
    (b"%PDF", "a PDF document", "Give a .safetensors or .pth file."),
    (b"MATLAB 5.0 MAT-file", "a file of MATLAB", _SAME_NETWORK),
    (b"\x12\x01\0\0\0\0\0\0", "a file of MXNet's parameters", _SAME_NETWORK),
    (b"\0\0\0\0\x02\0\0\0", "a file of Darknet's weights", _SAME_NETWORK),
    (b"\xff\xfe", "a text in UTF-16, as PowerShell writes what it is told to put into a file", _AGAIN),
    (b"PAR1", "a Parquet table", "Give a .safetensors or .pth file."),
    (b"SQLite format 3", "a database of SQLite", "Give a .safetensors or .pth file."),
    (b"\x7fELF", "a program", "Give a .safetensors or .pth file."),
)
# Beginnings of texts, in small letters.
_TEXTS: tuple[tuple[bytes, str, str], ...] = (
    (
        rb"version https?://git-(lfs|media)",
        "a Git LFS pointer, which only names the weights",
        "Fetch them with git lfs pull, or download the file itself.",
    ),
    (
        rb"(/annex/objects/|(\.\./)*\.git/annex)",
        "a git-annex pointer, which only names the weights",
        "Fetch them with git annex get.",
    ),
    (
        rb"<(!doctype html|html|head|body|meta|title|script|!--)",
        "a web page",
        "Download the file itself; on the Hugging Face Hub its address has /resolve/, not /blob/.",
    ),
    (rb"(<\?xml[^>]*>\s*)?<error", "the error message of a server, in XML", _AGAIN),
    (
        rb"\([dl]p?\d*\n|c(copy_reg|collections|__builtin__|numpy[\w.]*|torch[\w.]*)\n",
        "a pickle, and not one of torch.save",
        _STATE_DICT,
    ),
    (rb"<\?xml|<net", "a text in XML, as OpenVINO keeps a graph in", _SAME_NETWORK),
)
# What has no name in its first bytes, but a layout that is known.
_LAYOUTS: tuple[tuple[bytes, str, str], ...] = (
    (rb".{4}TFL3", "a TensorFlow Lite model", _SAME_NETWORK),
    (rb".{257}ustar", "a tar archive", _UNPACK),
    (rb"\x80[\0-\x05]", "a pickle, and not one of torch.save", _STATE_DICT),
    # After what a program has put there (the format's specification, "superblock").
    (rb"(.{512}|.{1024}|.{2048})\x89HDF\r\n\x1a\n", "an HDF5 file", _SAME_NETWORK),
    (rb"\x08\x01\x12|\n..?\n.[\w/:]+\x12.(Placeholder|Const)", "a graph of TensorFlow", _SAME_NETWORK),
    (rb"[\x81-\x8f][\xa1-\xbf][A-Za-z_]\w*[\x80-\xff]", "a file of msgpack, as Flax writes", _SAME_NETWORK),
)
_TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # at the end of TensorFlow's (tensorflow/core/lib/io/format.h)
# Names inside a zip archive, what they mean, and what to do; torch.save's own archives are zip archives too.
_ARCHIVES: tuple[tuple[str, str, str], ...] = (
    (r"(.*/)?(constants\.pkl|code/.*)", "a TorchScript program", _STATE_DICT),
    (r"(.*/)?(archive_format|serialized_exported_program\.json)", "a program of torch.export", _STATE_DICT),
    (r"model\.weights\.h5", "a Keras model", _SAME_NETWORK),
    (r".*\.npy", "an archive of NumPy arrays", _SAME_NETWORK),
)
_QUOTED = 60  # characters
_SAMPLE = 4096  # bytes that are looked at to tell text from others


def kind_of(data: bytes, path: Path) -> Kind:
    """Whether a file is one of safetensors or of torch.save.

    Args:
        data: What it holds.
        path: Of the file, for errors.

    Returns:
        Which of them.

    Raises:
        WeightsError: It is something else: what it is, and what to do.
    """
    if _OLD_TORCH.match(data):
        return "torch"
    if is_archive(data):
        return _kind_of_archive(data, path)
    # Its first eight bytes are a length, and may be those with which files of other kinds begin.
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8:
        return "safetensors"
    if (other := _by_first_bytes(data) or _by_text(data) or _by_layout(data, path)) is not None:
        raise other_kind(path, *other)
    if data[8:9] == b"{":
        return "safetensors"
    if path.suffix.lower() == ".safetensors" and int.from_bytes(data[:8], "little") > len(data):
        return "safetensors"  # whose header will be said to be too long
    raise other_kind(path, "damaged, or no file of weights", "Give a whole .safetensors or .pth file.")


def is_archive(data: bytes) -> bool:
    """Whether a file is a zip archive; ``PK`` alone may also begin the length of a safetensors header."""
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def other_kind(path: Path, what: str, remedy: str) -> WeightsError:
    """The error of a file that is `what`, and what to do."""
    return WeightsError(f"The weights file {path} cannot be read: it is {what}. {remedy}")


def _by_first_bytes(data: bytes) -> tuple[str, str] | None:
    if not data:
        return "empty", "Copy or download it again."
    return next(((what, remedy) for magic, what, remedy in _MAGIC if data.startswith(magic)), None)


def _by_text(data: bytes) -> tuple[str, str] | None:
    """What a text is; None for what is none."""
    sample = data[:_SAMPLE].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for pattern, what, remedy in _TEXTS:
        if re.match(pattern, sample):
            return what, remedy
    if sample[:1] in {b"{", b"["} and data[8:9] != b"{":
        return _json_text(data)
    if not _is_text(data[:_SAMPLE]):
        return None
    line = data[:_SAMPLE].decode("utf-8", errors="replace").strip("\ufeff \t\r\n").partition("\n")[0]
    return f"a text that begins with {line[:_QUOTED]!r}", "Give a .safetensors or .pth file."


def _json_text(data: bytes) -> tuple[str, str]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    names = found.keys() if isinstance(found, dict) else ()
    if "weight_map" in names:
        return "the index of weights in several files", "Save the network as one .safetensors file."
    if "error" in names:
        return "the error message of a server, in JSON", _AGAIN
    return "a text in JSON", "Give the .safetensors or .pth file beside it."


def _is_text(sample: bytes) -> bool:
    return not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", sample) and _decodes(sample)


def _decodes(sample: bytes) -> bool:
    try:
        sample[:-4].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 8
    return True


def _by_layout(data: bytes, path: Path) -> tuple[str, str] | None:
    """What has no name in its first bytes, but a layout that is known."""
    for pattern, what, remedy in _LAYOUTS:
        if re.match(pattern, data, re.DOTALL):
            return what, remedy
    if data.endswith(_TABLE):
        return "the index of a TensorFlow checkpoint", _SAME_NETWORK
    # Protocol buffers: of ONNX first the version of its format, then the producer or the graph (onnx.proto).
    if data[0] == 8 and len(data) > 2 and 3 <= data[1] <= 32 and data[2] in {0x12, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42}:
        return "an ONNX model", f"Import it with unfreeze zoo import {path}, and give the folder to --backbone."
    if path.suffix.lower() == ".caffemodel":
        return "a Caffe model", _SAME_NETWORK
    return None


def _kind_of_archive(data: bytes, path: Path) -> Kind:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise other_kind(path, "cut off or damaged", "Copy or download it again.") from error
    for pattern, what, remedy in _ARCHIVES:
        if any(re.fullmatch(pattern, name) for name in names):
            raise other_kind(path, what, remedy)
    if not any(name.endswith("data.pkl") for name in names):
        raise other_kind(path, "a zip archive, and not one of torch.save", _UNPACK)
    return "torch"
