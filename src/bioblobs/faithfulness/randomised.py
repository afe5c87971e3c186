"""Models whose weights are thrown away from the output on (Adebayo et al. 2018, cascading randomisation)."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from bioblobs.inference.device import device_of
from bioblobs.models.bioblobs import BioBlobs

FROM_OUTPUT = ("readout", "codebook", "blob_encoder", "partitioner", "encoder")
"""Parts in the order in which a prediction passes them, backward; a model may lack the second and third."""


def cascade(model: BioBlobs, fresh: BioBlobs) -> Iterator[tuple[str, BioBlobs]]:
    """The model with more and more parts of an untrained one: its readout, and the codebook too, and so on.

    Each comes with the name of the part that was exchanged last; the last model is untrained as a whole.
    """
    mixed = copy.deepcopy(model).eval()
    fresh = copy.deepcopy(fresh).eval().to(device_of(model))
    fresh.partitioner.tau.copy_(model.partitioner.tau)  # a setting of the schedule, not a weight
    for part in FROM_OUTPUT:
        if getattr(model, part) is not None:
            setattr(mixed, part, getattr(fresh, part))
            yield part, mixed
