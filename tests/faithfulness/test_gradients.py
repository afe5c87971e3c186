"""Integrated gradients: complete where the function is smooth, and right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stub import made_model

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.explained import explain
from bioblobs.faithfulness.gradients import attribute, integrated_gradients, log_chance


@pytest.mark.parametrize("head", ["full", "blobs"])
@pytest.mark.parametrize("seq_in", [True, False])
def test_scores_sum_to_the_difference_of_the_outputs(chains: Chains, head: str, seq_in: bool) -> None:
    """Completeness, on the real model without the codebook's rounding; it comes with the number of steps."""
    model = made_model(chains.store, with_codebook=False, head=head, seq_in=seq_in)
    target = explain(model, chains).target
    gaps = [np.abs(integrated_gradients(model, chains, target, steps)[1]).mean() for steps in (2, 64)]
    (batch,) = chains.batches()
    output, scalars = log_chance(model, batch, torch.from_numpy(target), multilabel=False)
    with torch.no_grad():
        difference = (output(scalars) - output(torch.zeros_like(scalars))).abs().mean()
    assert gaps[1] < 0.1 * float(difference)
    assert gaps[1] < gaps[0]


def test_known_function(chains: Chains) -> None:
    """A polynomial: each residue gets its own term, exactly, whatever the others hold."""
    (batch,) = chains.batches()
    scalars = torch.randn(len(batch.batch), 3)

    def output(s: torch.Tensor) -> torch.Tensor:
        value = s[:, 0] * s[:, 1] + s[:, 2] ** 3
        return torch.zeros(batch.num_proteins).index_add(0, batch.batch, value)

    score, gap = attribute(output, scalars, batch, steps=4)
    wanted = scalars[:, 0] * scalars[:, 1] + scalars[:, 2] ** 3
    torch.testing.assert_close(score.float(), wanted, rtol=1e-4, atol=1e-5)
    assert gap.abs().max() < 1e-3


def test_output_is_the_models_own(chains: Chains) -> None:
    """With the partition of the whole chain held, the input's log probability is the model's."""
    for codebook in (False, True):
        model = made_model(chains.store, with_codebook=codebook)
        explained = explain(model, chains)
        (batch,) = chains.batches()
        output, scalars = log_chance(model, batch, torch.from_numpy(explained.target), multilabel=False)
        with torch.no_grad():
            np.testing.assert_allclose(output(scalars).exp(), explained.chances.max(1), rtol=1e-5)


def test_multilabel_output(chains: Chains) -> None:
    model = made_model(chains.store)
    (batch,) = chains.batches()
    target = torch.zeros(len(chains), dtype=torch.long)
    output, scalars = log_chance(model, batch, target, multilabel=True)
    with torch.no_grad():
        torch.testing.assert_close(output(scalars).exp(), model(batch).logits[:, 0].sigmoid())


def test_weights_are_left_as_they_were(chains: Chains) -> None:
    model = made_model(chains.store)
    integrated_gradients(model, chains, np.zeros(len(chains), int), 1)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_batches_do_not_matter(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made_model(chains.store)
    target = explain(model, chains).target
    whole = integrated_gradients(model, chains, target, 3)
    monkeypatch.setattr("bioblobs.faithfulness.chains.MAX_RESIDUES", 200)
    parts = integrated_gradients(model, chains, target, 3)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
