"""PyG's explainer and fidelity metrics over a model's blobs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch_geometric.explain import fidelity

from bioblobs.checkpoints.file import load_model
from bioblobs.errors import BioBlobsError
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.inference.pyg_explain import PyGModel, blob_explainer
from bioblobs.models.bioblobs import BioBlobs
from tiny_model import tiny_checkpoint


@pytest.fixture
def network(tmp_path: Path) -> BioBlobs:
    model, _ = load_model(tiny_checkpoint(tmp_path / "model.ckpt"))
    torch.nn.init.normal_(model.readout.evidence[-1].weight, std=3.0)  # it begins at zero
    return model


def test_all_ones_give_the_models_own_logits(network: BioBlobs, real_batch: ProteinBatch) -> None:
    seen = PyGModel(network, real_batch)
    expected = network(real_batch).logits
    assert torch.allclose(seen(seen.x, seen.edge_index), expected, atol=1e-5)
    assert torch.allclose(seen(0 * seen.x, seen.edge_index), seen.bias.expand_as(expected))


def test_a_hidden_blob_takes_its_evidence_with_it(network: BioBlobs, real_batch: ProteinBatch) -> None:
    seen = PyGModel(network, real_batch)
    hidden = int(seen.slot[seen.slot >= 0][0])
    x = torch.where(seen.slot[:, None] == hidden, 0.0, seen.x)
    fall = (seen(seen.x, seen.edge_index) - seen(x, seen.edge_index))[hidden // seen.evidence.shape[1]]
    assert torch.allclose(fall, seen.evidence.flatten(0, 1)[hidden], atol=1e-5)
    assert fall.abs().max() > 0.1


def test_fidelity_is_what_counting_predictions_gives(network: BioBlobs, real_batch: ProteinBatch) -> None:
    seen = PyGModel(network, real_batch)
    explainer = blob_explainer(seen, blobs=1)
    explanation = explainer(seen.x, seen.edge_index)
    mask = explanation.node_mask
    assert mask.shape == (len(seen.slot), 1)
    for protein in range(real_batch.num_proteins):  # one blob of each, where one argues for the class
        assert len(seen.slot[(mask[:, 0] > 0) & (real_batch.batch == protein)].unique()) <= 1
    predicted = seen(seen.x, seen.edge_index).argmax(-1)
    without, alone = (seen(part, seen.edge_index).argmax(-1) for part in (1 - mask, mask))
    positive, negative = fidelity(explainer, explanation)
    assert positive == pytest.approx(float((without != predicted).float().mean()))
    assert negative == pytest.approx(float((alone != predicted).float().mean()))
    _, of_all = fidelity(blob_explainer(seen, 99), blob_explainer(seen, 99)(seen.x, seen.edge_index))
    assert of_all == 0  # all that argues for a class, and nothing against it, keeps it


def test_a_head_that_does_not_add_up_is_refused(tmp_path: Path, real_batch: ProteinBatch) -> None:
    model, _ = load_model(tiny_checkpoint(tmp_path / "model.ckpt", head="full"))
    with pytest.raises(BioBlobsError, match="does not add up"):
        PyGModel(model, real_batch)
