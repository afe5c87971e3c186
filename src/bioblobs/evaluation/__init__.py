"""Scores with intervals, baselines, ablations."""
