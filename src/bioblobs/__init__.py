"""BioBlobs: protein classification that shows which parts of the structure decided it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from bioblobs.interpretation.report_file import Report
    from bioblobs.prediction.model import Model
    from bioblobs.prediction.saved import SavedPredictions

__version__ = "0.1.0"

SPINS = "2000"
"""Number of times that a waiting thread of torch looks for work before it sleeps (libgomp: 300000).

A step has hundreds of parallel parts. On a machine with anything else to do, threads that spin keep the core
from the one that they wait for, and a step took tens of times as long (docs/speed.md). libgomp reads it when
torch is first imported, so it has to be here. An existing setting of it or of OMP_WAIT_POLICY takes
precedence.
"""
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)

# Imported inside the functions: torch takes seconds, and many uses of the package need none.


def load(path: Path | str, device: str | torch.device = "auto", calibrated: bool = False) -> Model:
    """Load a trained model, ready for structure files: ``load("model.ckpt").predict("1abc.pdb")``.

    Args:
        device: where the model runs: auto (the GPU, if there is one), cpu, cuda, or a torch device.
        calibrated: divide its logits by the temperature on its card (docs/predict.md).

    Raises:
        BioBlobsError: there is no checkpoint, or it is damaged or not one of ours; no such device; or no
            temperature.
    """
    from bioblobs.prediction import model

    return model.load(path, device, calibrated)


def read_interpretability(path: Path | str) -> Report:
    """Report of the stage ``interpret``, checked, with tables of proteins, blobs and codes.

    Reports of versions 2.1 and 3.0 are read too; what they do not have is None or NaN.

    Raises:
        BioBlobsError: there is no such file, or it is of another version, or not as its schema says.
    """
    from bioblobs.interpretation.report_file import load

    return load(path)


def read_predictions(path: Path | str) -> SavedPredictions:
    """The predictions.json of ``bioblobs predict``, checked, with tables of chains and blobs.

    Files of versions 1.0, 2.0 and 3.0 are read too; what they do not have is None or NaN.

    Raises:
        BioBlobsError: there is no such file, or it is of another version, or not as its schema says.
    """
    from bioblobs.prediction.saved import read_predictions

    return read_predictions(path)
