"""What ``unfreeze export`` is asked, and what cannot be asked together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unfreeze.core.errors import InputError

ExportTarget = Literal["onnx", "openvino", "torch-export", "coreml"]
ExportResize = Literal["exact", "fast"]


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What to export, and where.

    Attributes:
        model: Folder of a model.
        target: What runs it later.
        out: Folder to write: new or empty.
        asked_resize: ``exact`` for Pillow's resizing bit for bit, ``fast`` for the runtime's; None for what the target
            has.
        int8: Whether weights and activations are in int8.
        images: Folder of photos to compare on; None for those of the model's run.
    """

    model: Path
    target: ExportTarget
    out: Path
    asked_resize: ExportResize | None = None
    int8: bool = False
    images: Path | None = None

    @property
    def resize(self) -> ExportResize:
        """The resizing that is meant."""
        return self.asked_resize or ("fast" if self.target == "coreml" else "exact")

    def check(self) -> None:
        """Make sure that the target has what is asked, before imports that take seconds.

        Raises:
            InputError: It has not.
        """
        if self.int8 and self.target not in {"onnx", "openvino"}:
            msg = f"--int8 is for onnx and openvino; {self.target} is exported in float32. Leave --int8 out."
            raise InputError(msg)
        if self.target == "coreml" and self.resize == "exact":
            msg = (
                "A CoreML model has no exact resizing: Vision resizes photos for it. Leave --resize out, or use --to "
                "onnx."
            )
            raise InputError(msg)
