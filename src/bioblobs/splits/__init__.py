"""Splits without leakage: which chains are alike, clusters of them, and clusters into train, val and test."""
