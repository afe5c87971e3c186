"""Stop a training whose loss is no number, and say at which proteins."""

from __future__ import annotations

from torch import Tensor

from bioblobs.errors import BioBlobsError
from bioblobs.store.packed import Store

NAMED = 100
"""Proteins of a batch that the message names."""


def diverged(loss: Tensor, proteins: Tensor, store: Store, where: str, key: str) -> BioBlobsError:
    """Make the error of a batch whose loss is not finite.

    Args:
        loss: of the batch.
        proteins: (B,) their rows in the store.
        where: epoch and step.
        key: of the learning rate.
    """
    names = store.table()["id"].to_numpy(str)[proteins.cpu().numpy()].tolist()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return BioBlobsError(
        f"training diverged {where}: the loss is {float(loss):g} for the proteins "
        f"{', '.join(names[:NAMED])}{more}; look at their structures, or lower {key}"
    )
