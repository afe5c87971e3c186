"""Integrated gradients: complete where the function is smooth, and right where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stub import made_model

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.gradients import attribute, integrated_gradients, log_chance
from bioblobs.faithfulness.passes import explain


@pytest.mark.parametrize(
    ("head", "blob_view", "seq_in"),
    [
        ("additive", "alone", True),
        ("additive", "alone", False),
        ("additive", "context", True),
        ("full", "alone", True),
        ("full", "context", True),
        ("blobs", "context", False),
    ],
)
def test_scores_sum_to_the_difference_of_the_outputs(
    chains: Chains, head: str, blob_view: str, seq_in: bool
) -> None:
    """Completeness, on the real model without the codebook's rounding; it comes with the number of steps."""
    model = made_model(chains.store, with_codebook=False, head=head, blob_view=blob_view, seq_in=seq_in)
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


@pytest.mark.parametrize("blob_view", ["alone", "context"])
@pytest.mark.parametrize("head", ["additive", "full"])
def test_output_is_the_models_own(chains: Chains, head: str, blob_view: str) -> None:
    """With the partition of the whole chain held, the input's log probability is the model's."""
    for codebook in (False, True):
        model = made_model(chains.store, with_codebook=codebook, head=head, blob_view=blob_view)
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


def test_what_a_blob_does_not_hold_has_no_score_where_blobs_are_read_alone(chains: Chains) -> None:
    outside = {}
    for blob_view in ("alone", "context"):
        model = made_model(chains.store, with_codebook=False, blob_view=blob_view, max_clusters=2)
        explained = explain(model, chains)
        score, _ = integrated_gradients(model, chains, explained.target, 2)
        none = explained.assignment < 0
        assert none.sum() > 100 and np.abs(score[~none]).max() > 1e-4
        outside[blob_view] = np.abs(score[none]).max()
    assert outside["alone"] == 0
    assert outside["context"] > 1e-6  # they are neighbours of members


def test_the_gradient_of_a_logit_knows_its_own_blob_alone(chains: Chains) -> None:
    """A logit is a sum over blobs, each read alone: changing one blob's input leaves other gradients."""
    model = made_model(chains.store, with_codebook=False)
    (batch,) = chains.batches()
    output, scalars = log_chance(model, batch, torch.zeros(len(chains), dtype=torch.long), multilabel=True)
    assignment = torch.from_numpy(explain(model, chains).assignment)
    changed = scalars.clone().requires_grad_()
    logit = torch.logit(output(changed).exp())
    (gradient,) = torch.autograd.grad(logit.sum(), changed)
    moved = torch.where((assignment == 0)[:, None], scalars + 1, scalars).requires_grad_()
    (other,) = torch.autograd.grad(torch.logit(output(moved).exp()).sum(), moved)
    rest = assignment > 0
    torch.testing.assert_close(gradient[rest], other[rest], rtol=1e-3, atol=1e-5)
    assert not torch.allclose(gradient[~rest], other[~rest], atol=1e-5)


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
