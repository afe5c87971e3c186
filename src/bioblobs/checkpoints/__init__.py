"""Checkpoints: the file, its card, and the model that they describe. Knows no Lightning."""
