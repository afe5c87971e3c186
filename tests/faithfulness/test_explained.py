"""Contributions as the faithfulness page takes them: signed, of a class, and a sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from stub import made_model

from bioblobs.faithfulness.chains import Chains
from bioblobs.faithfulness.passes import explain
from bioblobs.models.readout import AdditiveReadout


@pytest.mark.parametrize("blob_view", ["alone", "context"])
@pytest.mark.parametrize("codebook", [True, False])
def test_contributions_explain_the_probabilities(chains: Chains, blob_view: str, codebook: bool) -> None:
    """Softmax of base and contributions added up, by hand."""
    model = made_model(chains.store, codebook, blob_view=blob_view)
    torch.nn.init.normal_(model.readout.bias)
    made = explain(model, chains)
    np.testing.assert_array_equal(made.protein, chains.protein)
    base = model.base()
    assert made.contributions is not None and base is not None
    errors = made.sum_error(base.double().numpy())
    assert errors is not None
    logits = base.double().numpy() + made.contributions.sum(1)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(chances, made.chances, atol=1e-6)
    assert errors.shape == (len(chains),) and errors.max() < 1e-5
    np.testing.assert_array_equal(made.contribution, made.contribution_to(made.chances.argmax(1)))
    other = np.zeros(len(chains), int)
    np.testing.assert_array_equal(made.contribution_to(other), made.contributions[:, :, 0])
    assert (made.contributions < 0).any()
    share = np.maximum(made.contribution, 0)
    some = share.sum(1) > 0
    np.testing.assert_allclose(made.importance[some], (share / share.sum(1, keepdims=True))[some], atol=1e-6)
    assert (made.contributions[~made.mask] == 0).all()


def test_a_sum_that_is_not_exact_is_seen(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    model, forward = made_model(chains.store), AdditiveReadout.forward

    def shifted(self: AdditiveReadout, *inputs: torch.Tensor) -> object:
        made = forward(self, *inputs)
        off = torch.zeros_like(made.logits)
        off[0, 0] = 0.01
        return made._replace(logits=made.logits + off)

    monkeypatch.setattr(AdditiveReadout, "forward", shifted)
    classes, base = len(chains.store.classes), model.base()
    assert base is not None
    error = explain(model, chains).sum_error(base.double().numpy())
    assert error is not None
    assert error[0] == pytest.approx(0.01 * (1 - 1 / classes), rel=1e-3)
    assert error[1:].max() < 1e-5


def test_attention_has_no_sum(chains: Chains) -> None:
    made = explain(made_model(chains.store, head="blobs", blob_view="context"), chains)
    assert made.contributions is None and made.sum_error(np.zeros(len(chains.store.classes))) is None
    assert made.contribution is made.importance
    changed = replace(made, importance=np.where(made.mask, np.arange(made.mask.shape[1]), 0.0))
    assert (changed.top == made.mask.sum(1) - 1).all()
