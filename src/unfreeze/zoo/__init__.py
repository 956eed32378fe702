"""Pretrained networks: cards, backbones, their weights, and the delivered model."""
