"""unfreeze: how far should a pretrained network be unfrozen on your photos, and how do you know?"""

__version__ = "0.1.0"
