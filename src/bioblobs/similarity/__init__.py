"""Pairs of chains that are alike, by sequence or by structure: one module per tool."""
