"""BioBlobs: protein classification that shows which parts of the structure decided it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioblobs.prediction.model import Model

__version__ = "0.1.0"


def load(path: Path | str) -> Model:
    """A trained model, ready to predict structure files: ``load("model.ckpt").predict("1abc.pdb")``.

    Raises:
        BioBlobsError: there is no checkpoint, or it is damaged or not one of ours.
    """
    from bioblobs.prediction import model  # here: torch takes seconds, and many uses of the package need none

    return model.load(path)
