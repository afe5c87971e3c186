"""Stop a training whose loss is no number, and say at which proteins."""

from __future__ import annotations

import torch
from torch import Tensor

from bioblobs.errors import BioBlobsError
from bioblobs.store.packed import Store

NAMED = 100
"""Proteins of a batch that the message names."""

LOOK_EVERY = {"cpu": 1}
"""Steps between two looks at the losses, per type of device; others: :data:`LOOK_SELDOM`."""
LOOK_SELDOM = 50
"""On a GPU a look waits for all steps so far, and one in each step leaves it idle meanwhile."""


class Losses:
    """Losses of the steps since the last look, and their proteins: the first that is no number is named.

    What follows such a step is lost in any case. So a look may be late, as long as nothing is saved before.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[Tensor, Tensor, str]] = []

    def add(self, loss: Tensor, proteins: Tensor, where: str) -> bool:
        """Add a step's loss and the rows (B,) of its proteins; return True where a look is due."""
        self.steps.append((loss.detach(), proteins, where))
        return len(self.steps) >= LOOK_EVERY.get(loss.device.type, LOOK_SELDOM)

    def look(self, store: Store, key: str) -> None:
        """Look at all losses since the last look; there is one at least.

        Raises:
            BioBlobsError: one is not finite; for the first of them, see :func:`diverged`.
        """
        steps, self.steps = self.steps, []
        wrong = torch.stack([loss for loss, _, _ in steps]).isfinite().logical_not().cpu()
        if wrong.any():
            loss, proteins, where = steps[int(wrong.int().argmax())]
            raise diverged(loss, proteins, store, where, key)


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
