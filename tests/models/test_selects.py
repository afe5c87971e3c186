"""Baselines of the partitioner: valid partitions, of which nothing but the choice differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch_geometric.nn import TopKPooling

from bioblobs.checkpoints.build import architecture, build_model
from bioblobs.checkpoints.file import check_architecture
from bioblobs.config.schema import ModelConfig
from bioblobs.errors import BioBlobsError
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.partitioner import Blobs
from bioblobs.models.selects import RandomBlobs, TopResidues, WholeChain
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from bioblobs.training.losses import LossWeights, loss_terms

OTHERS = ("random", "none", "topk")
S, LARGEST = 6, 20


def embeddings(batch: ProteinBatch) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(batch.batch), 8, generator=generator, requires_grad=True)


def cut(select: Any, batch: ProteinBatch, x: Tensor) -> Blobs:
    return select.partition(x, batch.edge_index, batch.batch, batch.num_proteins, batch.longest)


def built(with_codebook: bool = False, **keys: Any) -> Any:
    torch.manual_seed(0)
    small = {"node_h_dim": (16, 4), "edge_h_dim": (8, 1), "num_layers": 2, "cut_h_dim": (8, 2)}
    return build_model(
        ModelConfig(**{**small, "max_clusters": S, "cluster_size_max": LARGEST, **keys}), 5, with_codebook
    )


@pytest.mark.parametrize("coded", [None, "quantised", "raw"])
@pytest.mark.parametrize("head", ["additive", "full", "blobs"])
@pytest.mark.parametrize("view", ["alone", "context"])
@pytest.mark.parametrize("partition", [*OTHERS, "learned"])
def test_every_weight_that_is_trained_has_a_gradient(
    real_batch: ProteinBatch, partition: str, view: str, head: str, coded: str | None
) -> None:
    """One without stops several processes (DDP)."""
    keys = {"partition": partition, "blob_view": view, "head": head, "blob_input": coded or "raw"}
    model = built(coded is not None, **keys).train()
    prediction = model(real_batch)
    terms = loss_terms(prediction, real_batch.labels.clamp(0, 4), LossWeights(card=0.1), 1.0, 10.0, 0.1)
    terms["loss"].backward()
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert [name for name, weight in trained.items() if weight.grad is None] == []
    assert any(name.startswith("readout") for name in trained)


@pytest.mark.parametrize("training", [False, True])
def test_random_blobs_are_connected_disjoint_and_bounded(real_batch: ProteinBatch, training: bool) -> None:
    x = embeddings(real_batch)
    blobs = cut(RandomBlobs(S, LARGEST, 0.95, 3).train(training), real_batch, x)
    size = len(real_batch.batch)
    edges = tuple(real_batch.edge_index.numpy())
    graph = csr_matrix((np.ones(len(edges[0])), edges), (size, size))
    for protein in range(real_batch.num_proteins):
        for slot in range(S):
            members = ((real_batch.batch == protein) & (blobs.assignment == slot)).nonzero()[:, 0].numpy()
            assert blobs.size[protein, slot] == len(members) <= LARGEST
            assert blobs.mask[protein, slot] == (len(members) > 0)
            if len(members):
                assert connected_components(graph[members][:, members])[0] == 1
                assert blobs.seeds[members].sum() == 1
                torch.testing.assert_close(blobs.embedding[protein, slot], x[members].mean(0))
    assert blobs.seeds.sum() == blobs.mask.sum() and (blobs.assignment[blobs.seeds] >= 0).all()


def test_random_blobs_stop_once_enough_is_covered(real_batch: ProteinBatch) -> None:
    blobs = cut(RandomBlobs(S, LARGEST, 0.3, 3).train(), real_batch, embeddings(real_batch))
    length = torch.bincount(real_batch.batch).float()
    before_last = blobs.size.cumsum(1) - blobs.size
    assert (before_last[blobs.mask] < (0.3 * length)[:, None].expand_as(blobs.mask)[blobs.mask]).all()


def test_random_sizes_are_those_that_were_drawn(sample_store: Store) -> None:
    """Mean (cap + 1) / 2 but for blobs that run out of free neighbours."""
    batch = collate(sample_store, sample_store.rows("train")[:40])
    sizes = []
    for seed in range(10):
        torch.manual_seed(seed)
        blobs = cut(RandomBlobs(2, 21, 1.0, 3).train(), batch, embeddings(batch))
        sizes += blobs.size[:, 0].tolist()
    assert 9.5 < np.mean(sizes) < 11.5 and min(sizes) == 1 and max(sizes) == 21


def test_random_blobs_of_evaluation_do_not_depend_on_the_batch(sample_store: Store) -> None:
    rows = sample_store.rows("test")[:6]
    select = RandomBlobs(S, LARGEST, 0.95, 3).eval()
    together = collate(sample_store, rows)
    blobs = cut(select, together, embeddings(together))
    for place, row in enumerate(rows):
        alone = collate(sample_store, np.array([row]))
        own = cut(select, alone, embeddings(alone))
        assert torch.equal(own.assignment, blobs.assignment[together.batch == place])


def test_training_draws_random_blobs_anew_from_the_seed(real_batch: ProteinBatch) -> None:
    select, x = RandomBlobs(S, LARGEST, 0.95, 3).train(), embeddings(real_batch)
    found = []
    for seed in (0, 1, 0):
        torch.manual_seed(seed)
        found.append(cut(select, real_batch, x).assignment)
    assert torch.equal(found[0], found[2]) and not torch.equal(found[0], found[1])


def test_whole_chains_are_mean_pooling(real_batch: ProteinBatch) -> None:
    x = embeddings(real_batch)
    blobs = cut(WholeChain(LARGEST), real_batch, x)
    for protein in range(real_batch.num_proteins):
        own = real_batch.batch == protein
        torch.testing.assert_close(blobs.embedding[protein, 0], x[own].mean(0))
    assert (blobs.assignment == 0).all() and blobs.seeds.sum() == real_batch.num_proteins


def test_top_residues_are_those_of_pyg_pooling(real_batch: ProteinBatch) -> None:
    x, select = embeddings(real_batch), TopResidues(8, LARGEST)
    pooling = TopKPooling(8)
    pooling.select.load_state_dict(select.select.state_dict())
    pooled, _, _, batch, perm, _ = pooling(x, real_batch.edge_index.long(), batch=real_batch.batch)
    blobs = cut(select, real_batch, x)
    assert torch.equal((blobs.assignment == 0).nonzero()[:, 0], perm.sort().values)
    for protein in range(real_batch.num_proteins):
        torch.testing.assert_close(blobs.embedding[protein, 0], pooled[batch == protein].mean(0))
    blobs.embedding.square().sum().backward()
    assert select.select.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("blob_view", ["alone", "context"])
@pytest.mark.parametrize("partition", OTHERS)
def test_models_predict_and_every_weight_that_is_read_learns(
    real_batch: ProteinBatch, partition: str, blob_view: str
) -> None:
    model = built(partition=partition, blob_view=blob_view).train()
    made = model(real_batch)
    torch.nn.functional.cross_entropy(made.logits, real_batch.labels.clamp_min(0)).backward()
    read = model.blob_encoder or model.encoder
    assert all(p.grad is not None for p in [*read.parameters(), *model.readout.parameters()])
    assert made.logits.shape == (real_batch.num_proteins, 5) and made.logits.isfinite().all()
    torch.testing.assert_close(made.logits, model.readout.bias + made.evidence.sum(1))


@pytest.mark.parametrize("partition", ["none", "topk"])
def test_a_model_without_blobs_has_one_encoder_of_the_full_width(partition: str) -> None:
    """The budget is that of the encoder that reads: what only cuts would be wasted."""
    model, learned = built(partition=partition), built()
    assert model.blob_encoder is None
    count = [sum(p.numel() for p in part.parameters()) for part in (model.encoder, learned.blob_encoder)]
    assert count[0] == count[1]


def test_cards_name_the_partition_only_where_it_is_not_the_learned_one() -> None:
    assert "partition" not in architecture(ModelConfig(), False)
    assert architecture(ModelConfig(partition="topk"), False)["partition"] == "topk"


@pytest.mark.parametrize(
    ("partition", "view"), [("none", "context"), ("topk", "context"), ("random", "alone")]
)
def test_cards_say_how_the_residues_were_read(partition: str, view: str) -> None:
    """Explanations repeat it: without blobs nothing is read alone."""
    assert architecture(ModelConfig(partition=partition, blob_view="alone"), False)["blob_view"] == view


def test_checkpoints_of_another_partition_are_refused() -> None:
    learned, random = (architecture(ModelConfig(partition=name), False) for name in ("learned", "random"))
    check_architecture("a.ckpt", {"architecture": random}, random)
    for had, wanted, said in (
        (learned, random, "=learned, but random"),
        (random, learned, "=random, but learned"),
    ):
        with pytest.raises(BioBlobsError, match=f"made with model.partition{said} is asked for"):
            check_architecture("a.ckpt", {"architecture": had}, wanted)
