"""Proteins packed as flat arrays, in memory or memory-mapped, and batches of them."""
