"""Where networks run."""

import torch


def training_device() -> torch.device:
    """Where the learning part trains."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
