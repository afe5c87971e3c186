"""BioBlobs: protein classification that shows which parts of the structure decided it."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Parts of the API, imported when first asked for: ``import bioblobs`` stays light."""
    if name == "read_interpretability":
        from bioblobs.interpretation.reading import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
