"""Numerics of the whole model: degenerate geometry, precision, and what must not change a prediction.

Bounds, on models with random weights and logits of about 1:

- Degenerate geometry (coincident, collinear or missing atoms, one residue, placeholders): logits, loss and
  gradients are finite.
- float32 and float64 of one partition: logits differ by at most 1e-4, and gradients by 1e-3 of their norm.
- Rotation: logits differ by at most 1e-4, and no blob changes.
- A shift of up to 9,999 angstrom in whole angstrom: bit-equal, as chains far away are moved to the origin
  before they become float32; others, at most 1e-4, and no blob changes.
- Order of files, and the batch that a chain is in: logits differ by at most 1e-4, and no blob changes (BLAS
  rounds a row by how many rows there are).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional as F

import bioblobs
from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import build_graph
from bioblobs.inference.predict import predictions
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.prediction.model import Model
from bioblobs.prediction.structure_files import read_file
from bioblobs.store.arrays import pack
from conftest import batch_of, random_chain
from structure_files import long_chain
from tiny_model import tiny_checkpoint

LOGIT_BOUND, GRADIENT_BOUND, MOTION_BOUND = 1e-4, 1e-3, 1e-4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Without a codebook, whose few codes would hide small differences."""
    path = tmp_path_factory.mktemp("model") / "model.ckpt"
    return bioblobs.load(tiny_checkpoint(path, with_codebook=False), "cpu")


def network(with_codebook: bool = True, head: str = "additive", view: str = "alone") -> BioBlobs:
    """A small model with random weights."""
    torch.manual_seed(0)
    config = ModelConfig(
        node_h_dim=(16, 4),
        edge_h_dim=(8, 1),
        num_layers=2,
        max_clusters=5,
        cluster_size_max=12,
        codebook_size=6,
        head=head,  # type: ignore[arg-type]
        blob_view=view,  # type: ignore[arg-type]
    )
    return build_model(config, 4, with_codebook, False)


# Degenerate geometry


def line(length: int) -> np.ndarray:
    """(L, 4, 3) all atoms on one straight line."""
    xyz = np.zeros((length, 4, 3), np.float32)
    xyz[..., 0] = 1.3 * np.arange(4 * length).reshape(length, 4)
    return xyz


def with_atoms(length: int, target: int, source: int) -> np.ndarray:
    """(L, 4, 3) one atom of each residue at the place of another; without N or C, C-beta is undefined."""
    xyz = random_chain(length, seed=3)
    xyz[:, target] = xyz[:, source]
    return xyz


def folded_back(length: int) -> np.ndarray:
    """(L, 4, 3) a chain that goes back over itself: each residue coincides with one of the first half."""
    xyz = random_chain(length, seed=5)
    xyz[length // 2 :] = xyz[: length - length // 2][::-1]
    return xyz


def symmetric(length: int) -> np.ndarray:
    """(L, 4, 3) N, CA and C in one line in each residue: bisector and normal, and so C-beta, are zero."""
    xyz = random_chain(length, seed=6)
    xyz[:, 2] = 2 * xyz[:, 1] - xyz[:, 0]
    return xyz


DEGENERATE: dict[str, list[np.ndarray]] = {
    "one residue": [random_chain(1, 1)],
    "one residue, all atoms at one place": [np.ones((1, 4, 3), np.float32)],
    "two residues at one place": [np.ones((2, 4, 3), np.float32)],
    "all residues at one place": [np.full((25, 4, 3), 7.5, np.float32), random_chain(12, 2)],
    "all atoms at the origin": [np.zeros((25, 4, 3), np.float32)],
    "N at CA": [with_atoms(25, 0, 1), random_chain(12, 2)],
    "C at CA": [with_atoms(25, 2, 1), random_chain(12, 2)],
    "N at C": [with_atoms(25, 0, 2), random_chain(12, 2)],
    "O at C": [with_atoms(25, 3, 2), random_chain(12, 2)],
    "collinear": [line(25), random_chain(12, 2)],
    "N, CA and C in line": [symmetric(25), random_chain(12, 2)],
    "in a plane": [random_chain(25, 1) * np.float32([1, 1, 0]), random_chain(12, 2)],
    "folded back": [folded_back(26), random_chain(12, 2)],
    "nearly at one place": [random_chain(25, 1) * np.float32(1e-20), random_chain(12, 2)],
    "far apart": [random_chain(25, 1) * np.float32(1e4), random_chain(12, 2)],
    "far from the origin": [random_chain(25, 1) + np.float32(99_999), random_chain(12, 2)],
}


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize(
    ("with_codebook", "head", "view"),
    [(False, "additive", "alone"), (True, "additive", "alone"), (True, "full", "context")],
)
def test_degenerate_geometry_gives_finite_logits_loss_and_gradients(
    kind: str, with_codebook: bool, head: str, view: str
) -> None:
    batch = batch_of(DEGENERATE[kind])
    made = network(with_codebook, head, view)
    for training in (True, False):
        made.zero_grad()
        found = made.train(training)(batch)
        loss = F.cross_entropy(found.logits, batch.labels) + found.blobs.expected_size.sum()
        loss.backward()
        assert found.logits.isfinite().all() and loss.isfinite()
        assert found.importance.isfinite().all() and found.blobs.embedding.isfinite().all()
        for name, parameter in made.named_parameters():
            assert parameter.grad is None or parameter.grad.isfinite().all(), name
        assert any(each.grad is not None and each.grad.abs().max() > 0 for each in made.parameters())


@pytest.mark.parametrize("kind", DEGENERATE)
def test_degenerate_features_are_finite_in_both_ways_of_making_them(kind: str) -> None:
    """Compiled, and by torch, which coordinates that need a gradient ask for."""
    batch = batch_of(DEGENERATE[kind])
    by_torch = replace(batch, coordinates=batch.coordinates.clone().requires_grad_())
    for graph in (build_graph(batch), build_graph(by_torch)):
        for part in (graph.node_s, graph.node_v, graph.radial, graph.edge_v):
            assert part.isfinite().all()


# Precision


@pytest.mark.parametrize("with_codebook", [False, True])
def test_float32_agrees_with_float64(
    real_batch: ProteinBatch, with_codebook: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits within 1e-4, gradients within 1e-3 of their norm, on real chains and one partition."""
    single, double = network(with_codebook).eval(), network(with_codebook).eval().double()
    found = single(real_batch)
    F.cross_entropy(found.logits, real_batch.labels % 4).backward()
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # of sums, which a model makes in float32
    torch.set_default_dtype(torch.float64)
    try:
        exact = double(replace(real_batch, coordinates=real_batch.coordinates.double()))
        F.cross_entropy(exact.logits, real_batch.labels % 4).backward()
    finally:
        torch.set_default_dtype(torch.float32)
    assert exact.logits.dtype == torch.float64
    assert torch.equal(found.blobs.assignment, exact.blobs.assignment)
    assert exact.logits.abs().max() > 0.05
    assert (found.logits - exact.logits).abs().max() < LOGIT_BOUND
    for (name, one), two in zip(single.named_parameters(), double.parameters(), strict=True):
        if two.grad is not None and one.grad is not None and two.grad.norm() > 1e-6:
            assert (one.grad - two.grad).norm() < GRADIENT_BOUND * two.grad.norm() + 1e-7, name


# Invariance of predictions


def write(path: Path, seed: int, length: int, turn: np.ndarray | None = None, shift: float = 0) -> Path:
    """A random chain as mmCIF in full precision, turned and moved."""
    xyz = long_chain(length, seed).astype(np.float64)
    if turn is not None:
        xyz = xyz @ turn.T
    xyz += shift
    names = ("id", "type_symbol", "label_atom_id", "label_comp_id", "label_asym_id", "auth_seq_id")
    tags = [f"_atom_site.{name}" for name in (*names, "Cartn_x", "Cartn_y", "Cartn_z")]
    kinds, rows = ("ALA", "GLY", "SER", "LEU", "TRP", "LYS", "ASP"), []
    for number in range(length):
        for atom, spot in zip(("N", "CA", "C", "O"), xyz[number], strict=True):
            where = " ".join(f"{value:.9f}" for value in spot)
            kind = kinds[number * (seed + 1) % 7]
            rows.append(f"{len(rows) + 1} {atom[0]} {atom} {kind} A {number + 1} {where}")
    path.write_text("\n".join(["data_x", "loop_", *tags, *rows, ""]))
    return path


def read(model: Model, *paths: Path) -> list[tuple[Tensor, Tensor, tuple[float, float, float]]]:
    """Logits, blob of each residue and origin of the only chain of each file, as predict makes them."""
    proteins = [read_file(path).chains[0].protein for path in paths]
    packed = pack(proteins, model.edge_types, model.classes, model.multilabel)
    found = []
    for batch, made in predictions(model.network, packed, np.arange(len(packed)), title=None):
        for number, protein in enumerate(batch.proteins.tolist()):
            cut = made.blobs.assignment[batch.batch == number]
            found.append((made.logits[number], cut, proteins[protein].origin))
    return found


def same(model: Model, one: Path, two: Path) -> None:
    """Equal blobs; logits within the bound."""
    (logits, blobs, _), (others, cut, _) = [*read(model, one), *read(model, two)]
    assert torch.equal(blobs, cut) and (blobs >= 0).any()
    assert logits.abs().max() > 0.1
    assert (logits - others).abs().max() < MOTION_BOUND


@pytest.mark.parametrize("seed", range(3))
def test_a_turn_changes_no_prediction(model: Model, tmp_path: Path, seed: int) -> None:
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    still, turned = write(tmp_path / "a.cif", seed, 60), write(tmp_path / "b.cif", seed, 60, turn)
    one, two = (read_file(path).chains[0].protein for path in (still, turned))
    assert not np.allclose(one.coordinates, two.coordinates, atol=1)
    same(model, still, turned)


@pytest.mark.parametrize("shift", [1.0, 999.0, 1_500.0, 9_999.0, -9_999.0, 1_234.567, 9_998.765])
def test_a_shift_changes_no_prediction(model: Model, tmp_path: Path, shift: float) -> None:
    for seed in range(3):
        same(model, write(tmp_path / "a.cif", seed, 60), write(tmp_path / "b.cif", seed, 60, shift=shift))


def test_whole_shifts_far_away_are_bit_equal(model: Model, tmp_path: Path) -> None:
    for seed in range(3):
        near, far = (
            write(tmp_path / "a.cif", seed, 60, shift=2_000),
            write(tmp_path / "b.cif", seed, 60, shift=9_999),
        )
        (logits, blobs, origin), (others, cut, other) = [*read(model, near), *read(model, far)]
        assert origin != other
        assert torch.equal(blobs, cut) and torch.equal(logits, others)


def test_order_of_files_and_company_change_no_prediction(model: Model, tmp_path: Path) -> None:
    """Alone, in either order, and among others: long, short and of one residue.

    Blobs are equal; logits within the bound.
    """
    lengths = (30, 1, 12, 80, 7, 30, 2, 45, 19, 33)
    files = [write(tmp_path / f"{seed}.cif", seed, length) for seed, length in enumerate(lengths)]
    alone = {path: read(model, path)[0] for path in files}
    assert len({str(logits.tolist()) for logits, _, _ in alone.values()}) > len(files) // 2
    for order in (files, files[::-1], files[3:] + files[:3], files[::2]):
        for path, (logits, blobs, _) in zip(order, read(model, *order), strict=True):
            assert torch.equal(blobs, alone[path][1])
            assert (logits - alone[path][0]).abs().max() < MOTION_BOUND
    results = [model.predict(*order) for order in (files, files[::-1])]
    one, two = ({chain.file: chain.probabilities for chain in result} for result in results)
    assert len(one) == len(files) and one.keys() == two.keys()
    assert all(one[name] == pytest.approx(two[name], abs=MOTION_BOUND) for name in one)
