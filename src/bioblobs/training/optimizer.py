"""The optimizers of ``train.optimizer``: AdamW, or Muon on the matrices and AdamW on the rest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from bioblobs.config.train_keys import TrainConfig

NARROWEST = 4
"""Rows and columns from which on a matrix is Muon's."""


def make_optimizer(model: nn.Module, keys: TrainConfig, lr: float, fused: bool | None) -> Optimizer:
    """The optimizer of a training; weights of one dimension (biases, norms) never decay.

    Muon gets the matrices between layers. Tables of embeddings and the readout, whose rows stand for residues
    and classes, stay AdamW's, as its authors advise.

    Args:
        keys: ``optimizer``, ``muon_rate`` and ``weight_decay`` are read.
        lr: peak learning rate, of AdamW.
        fused: AdamW's step as one pass over all parameters; None where gradients are scaled.
    """
    rate = keys.muon_rate * lr
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    of_muon = set(_between_layers(model)) & set(trained) if keys.optimizer == "muon" else set()
    rest = [weight for name, weight in trained.items() if name not in of_muon]
    adamw = AdamW(
        [
            {"params": [weight for weight in rest if weight.dim() > 1], "weight_decay": keys.weight_decay},
            {"params": [weight for weight in rest if weight.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=lr,
        fused=fused,
    )
    if keys.optimizer == "adamw":
        return adamw
    matrices = [weight for name, weight in trained.items() if name in of_muon]
    muon = Muon(matrices, lr=rate, weight_decay=keys.weight_decay, adjust_lr_fn="match_rms_adamw")
    return MuonWithAdamW(muon, adamw)


def _between_layers(model: nn.Module) -> list[str]:
    """Names of the matrices that Muon gets."""
    return [
        f"{name}.weight"
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and "readout" not in name and min(part.weight.shape) >= NARROWEST
    ]


class MuonWithAdamW(Optimizer):
    """Muon on matrices, AdamW on everything else, as one optimizer.

    Muon makes each update of a matrix orthogonal (Jordan et al. 2024; torch's implementation). Its updates
    are scaled to the size of AdamW's (Liu et al., arXiv 2502.16982), so that rates can be compared. A
    schedule, a clip of gradients and a checkpoint see one optimizer: groups and state of both are its own.
    """

    def __init__(self, muon: Muon, adamw: AdamW) -> None:
        self.parts: tuple[Optimizer, Optimizer] = (muon, adamw)
        super().__init__([*muon.param_groups, *adamw.param_groups], {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of both."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Anew in every step: a checkpoint that is loaded puts other groups and another state in their place.
        for part, groups in zip(self.parts, (self.param_groups[:1], self.param_groups[1:]), strict=True):
            part.param_groups, part.state = groups, self.state
            part.step()
        return loss
