"""Colours of a chain's blobs in scripts and views, and what they mean."""

from __future__ import annotations

from bioblobs.inference.chain import Blob
from bioblobs.prediction.predicted import ChainPrediction
from bioblobs.report.palette import colour, signed_colour


def blob_colour(chain: ChainPrediction, blob: Blob) -> str:
    """By contribution, on a scale that ends at the chain's largest; by rank with an attention head."""
    if blob.contribution is None:
        return colour(blob.rank)
    return signed_colour(blob.contribution, chain.largest_contribution)


def legend(chain: ChainPrediction) -> str:
    """One line on the colours of a chain; empty with an attention head: they only tell blobs apart."""
    if all(blob.contribution is None for blob in chain.blobs):
        return ""
    name = chain.class_names[chain.explained]
    label = chain.explained if name == chain.explained else f"{chain.explained} ({name})"
    return (
        f"blue argues for {label}, orange against it, near-white neither, grey: in no blob; "
        f"the scale ends at {chain.largest_contribution:.3g} either way"
    )
