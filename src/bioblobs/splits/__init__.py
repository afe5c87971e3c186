"""Splits without leakage: clusters of chains that are alike, and clusters into train, val and test."""

SPLITS = ("train", "val", "test")
"""In the order in which a store numbers them."""
