"""Pairs of similar chains, by sequence or by structure: one module per tool."""
