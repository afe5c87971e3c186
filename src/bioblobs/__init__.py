"""BioBlobs: protein classification that shows which parts of the structure decided it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bioblobs.interpretation.reading import Report
    from bioblobs.prediction.model import Model
    from bioblobs.prediction.saved import SavedPredictions

__version__ = "0.1.0"

SPINS = "2000"
"""How often a thread of torch looks for work before it sleeps; libgomp's own number is 300000.

A step has hundreds of parallel parts. On a machine with anything else to do, threads that spin keep the core
from the one that they wait for, and a step took tens of times as long (docs/speed.md). libgomp reads it when
torch is first imported, so it has to be here. Whoever sets this variable or OMP_WAIT_POLICY is obeyed.
"""
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)

# Imported inside the functions: torch takes seconds, and many uses of the package need none.


def load(path: Path | str) -> Model:
    """A trained model, ready to predict structure files: ``load("model.ckpt").predict("1abc.pdb")``.

    Raises:
        BioBlobsError: there is no checkpoint, or it is damaged or not one of ours.
    """
    from bioblobs.prediction import model

    return model.load(path)


def read_interpretability(path: Path | str) -> Report:
    """Report of the stage ``interpret``, checked, with tables of proteins, blobs and codes.

    Reports of the version before are read too; what they do not have is None or NaN.

    Raises:
        BioBlobsError: there is no such file, or it is of another version, or not as its schema says.
    """
    from bioblobs.interpretation.reading import load

    return load(path)


def read_predictions(path: Path | str) -> SavedPredictions:
    """The predictions.json of ``bioblobs predict``, checked, with tables of chains and blobs.

    Files of the version before are read too; what they do not have is None or NaN.

    Raises:
        BioBlobsError: there is no such file, or it is of another version, or not as its schema says.
    """
    from bioblobs.prediction.saved import read_predictions

    return read_predictions(path)
