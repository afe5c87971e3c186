"""Residue graph: neighbour lists against brute force, and the geometry of its features."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import biotite.structure as struc
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch_geometric.utils import to_undirected

from bioblobs.graphs.backbone import bonded_to_next, cross, dihedral, node_features
from bioblobs.graphs.neighbours import PADDING, mutual_edges, neighbour_lists
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.graphs.residue_graph import (
    build_graph,
    radial_basis,
)
from bioblobs.store.batches import collate
from bioblobs.store.packed import Store
from conftest import batch_of, random_chain

PHI, PSI, OMEGA = 0, 1, 2
FORWARD, BACKWARD, SIDE = 0, 1, 2


def pairwise(ca: np.ndarray) -> np.ndarray:
    """(L, L) distances, infinite on the diagonal: no residue is its own neighbour."""
    distance = np.linalg.norm(ca[:, None].astype(float) - ca[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return distance


def moved(batch: ProteinBatch, seed: int, dtype: torch.dtype) -> tuple[ProteinBatch, ProteinBatch, Tensor]:
    """The batch, the batch after a random rigid motion, and the rotation (3, 3)."""
    rotation = torch.from_numpy(Rotation.random(rng=np.random.default_rng(seed)).as_matrix()).to(dtype)
    shift = 20 * torch.randn(3, dtype=dtype)
    still = replace(batch, coordinates=batch.coordinates.to(dtype))
    return still, replace(still, coordinates=still.coordinates @ rotation.T + shift), rotation


def one_protein(coordinates: Tensor) -> tuple[Tensor, Tensor]:
    """Node scalars and vectors of a chain that is a protein of its own."""
    return node_features(coordinates, torch.zeros(len(coordinates), dtype=torch.long))


def joined(coordinates: Tensor, batch: Tensor | None = None) -> Tensor:
    """True on residues bonded to the next, in one protein unless ``batch`` says otherwise."""
    gap = (coordinates[:, 2] - coordinates[:, 0].roll(-1, 0)).norm(dim=-1)
    return bonded_to_next(gap, torch.zeros(len(coordinates)) if batch is None else batch)


def a_chain(store: Store) -> Tensor:
    """(L, 4, 3) a real chain without a break, of 20 residues or more."""
    for row in store.rows("train"):
        coordinates = collate(store, np.array([row])).coordinates
        if len(coordinates) >= 20 and joined(coordinates)[:-1].all():
            return coordinates
    raise AssertionError("the sample has no unbroken chain")


# Neighbour lists


@pytest.mark.parametrize("k", [1, 8])
def test_knn_is_brute_force_nearest_first(k: int) -> None:
    ca = random_chain(60, seed=1)[:, 1]
    expected = pairwise(ca).argsort(1)[:, :k]
    np.testing.assert_array_equal(neighbour_lists(ca, f"knn_{k}"), expected)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_knn_with_fewer_residues_than_k_is_all_others_then_padding(length: int) -> None:
    ca = random_chain(length, seed=2)[:, 1]
    lists = neighbour_lists(ca, "knn_8")
    assert lists.shape == (length, 8)
    np.testing.assert_array_equal(lists[:, : length - 1], pairwise(ca).argsort(1)[:, : length - 1])
    assert (lists[:, length - 1 :] == PADDING).all()


def test_eps_is_all_within_the_radius_nearest_first() -> None:
    ca = random_chain(60, seed=3)[:, 1]
    distance, lists = pairwise(ca), neighbour_lists(ca, "eps_7.5")
    for i, row in enumerate(lists):
        found = row[row != PADDING]
        assert set(found) == set(np.flatnonzero(distance[i] <= 7.5))
        assert (np.diff(distance[i, found]) > -1e-5).all()  # to the precision of float32
        assert (row[len(found) :] == PADDING).all()
    assert lists.shape[1] == (distance <= 7.5).sum(1).max()


def test_eps_without_any_pair_has_a_column_of_padding() -> None:
    for ca in (np.array([[0, 0, 0], [50, 0, 0]], np.float32), np.zeros((1, 3), np.float32)):
        assert neighbour_lists(ca, "eps_8").tolist() == [[PADDING]] * len(ca)


def test_coinciding_residues_are_neighbours_but_never_their_own() -> None:
    # Twelve residues in one place: the tree may return any of them before the residue itself.
    ca = np.concatenate([np.zeros((12, 3)), random_chain(20, seed=4)[:, 1] + 30]).astype(np.float32)
    lists = neighbour_lists(ca, "knn_4")
    assert (lists != np.arange(len(ca))[:, None]).all()
    assert (lists[:12] < 12).all()
    assert all(len(set(row)) == 4 for row in lists)
    graph = build_graph(batch_of([np.repeat(ca[:, None], 4, 1)], k=4))
    assert all(getattr(graph, name).isfinite().all() for name in ("node_s", "node_v", "radial", "edge_v"))


@pytest.mark.parametrize("edge_types", ["knn_6", "knn_50", "eps_8"])
def test_mutual_edges_are_those_listed_from_both_ends(edge_types: str) -> None:
    lists = neighbour_lists(random_chain(40, seed=5)[:, 1], edge_types)
    listed = {(i, int(j)) for i, row in enumerate(lists) for j in row if j != PADDING}
    expected = [[(int(j), i) in listed and j != PADDING for j in row] for i, row in enumerate(lists)]
    np.testing.assert_array_equal(mutual_edges(lists), expected)


@pytest.mark.parametrize("k", [3, 8])
def test_symmetrised_edges_are_those_of_to_undirected(k: int) -> None:
    # Nearest neighbours are not mutual: hops, degrees and density need both directions, each edge once.
    batch = batch_of([random_chain(n, seed=n) for n in (25, 1, 4, 40)], k=k)
    valid = (
        torch.ones_like(batch.neighbours, dtype=torch.bool) if batch.edge_valid is None else batch.edge_valid
    )
    target = torch.arange(len(batch.batch))[:, None].expand_as(valid)
    directed = torch.stack([batch.neighbours[valid], target[valid]])
    expected = {tuple(edge) for edge in to_undirected(directed, num_nodes=len(batch.batch)).T.tolist()}
    assert {tuple(edge) for edge in batch.edge_index.T.tolist()} == expected
    assert batch.edge_index.shape[1] == len(expected)  # no repeats: they would count twice in degrees
    assert len(expected) > directed.shape[1]  # the case is not symmetric by itself
    assert (batch.batch[batch.edge_index[0]] == batch.batch[batch.edge_index[1]]).all()


# Rigid motions


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
@pytest.mark.parametrize("seed", range(3))
def test_scalars_are_invariant_and_vectors_turn_with_the_protein(
    real_batch: ProteinBatch, seed: int, dtype: torch.dtype, atol: float
) -> None:
    still, turned, rotation = moved(real_batch, seed, dtype)
    a, b = build_graph(still), build_graph(turned)
    assert a.node_s.dtype == dtype
    # Float32 loses digits at the coordinates themselves: 100 angstrom carry an error of 1e-5.
    torch.testing.assert_close(a.node_s, b.node_s, atol=atol, rtol=0)
    torch.testing.assert_close(a.radial, b.radial, atol=atol, rtol=0)
    assert torch.equal(a.waves, b.waves) and torch.equal(a.offsets, b.offsets)
    for before, after in ((a.node_v, b.node_v), (a.edge_v, b.edge_v)):
        torch.testing.assert_close(torch.einsum("xy,y...->x...", rotation, before), after, atol=atol, rtol=0)


def test_mirror_images_are_told_apart(real_batch: ProteinBatch) -> None:
    # Proteins are chiral: features invariant under reflection as well would have lost that.
    mirrored = replace(real_batch, coordinates=real_batch.coordinates * torch.tensor([1.0, 1.0, -1.0]))
    assert (build_graph(real_batch).node_s - build_graph(mirrored).node_s).abs().max() > 0.5


# Dihedrals


def angle(points: Tensor) -> list[float]:
    """Cosine and sine of the dihedral angle of four points."""
    a, b, c = points.diff(dim=0)
    return dihedral(a, b.norm(), cross(a, b), cross(b, c)).tolist()


def test_dihedral_sign_is_iupac() -> None:
    # Looking from b to c, a clockwise turn from a to d is positive: here a quarter turn.
    points = torch.tensor([[1.0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1]])
    assert angle(points) == pytest.approx([0, 1])
    assert angle(points * torch.tensor([1.0, -1, 1])) == pytest.approx([0, -1])


def test_dihedral_around_a_straight_bond_is_zero() -> None:
    assert angle(torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 3]])) == [1, 0]


def test_dihedral_features_agree_with_biotite(sample_store: Store) -> None:
    coordinates = a_chain(sample_store).double()
    n, ca, c = (coordinates[:, atom].numpy() for atom in range(3))
    angles = np.zeros((len(n), 3))
    angles[1:, PHI] = struc.dihedral(c[:-1], n[1:], ca[1:], c[1:])
    angles[:-1, PSI] = struc.dihedral(n[:-1], ca[:-1], c[:-1], n[1:])
    angles[:-1, OMEGA] = struc.dihedral(ca[:-1], c[:-1], n[1:], ca[1:])
    expected = np.concatenate([np.cos(angles), np.sin(angles)], 1)
    expected[0, [PHI, 3 + PHI]] = 0
    expected[-1, [PSI, OMEGA, 3 + PSI, 3 + OMEGA]] = 0
    np.testing.assert_allclose(one_protein(coordinates)[0], expected, atol=1e-6)


def test_real_backbones_are_trans_and_left_of_the_ramachandran_plot(real_batch: ProteinBatch) -> None:
    # Nature's own check of atom order and sign: peptide bonds are flat, and phi is negative in L-residues.
    scalars = build_graph(real_batch).node_s
    defined = scalars[:, PHI].square() + scalars[:, 3 + PHI].square() > 0.5
    assert (scalars[defined, 3 + PHI] < 0).float().mean() > 0.8
    linked = scalars[:, OMEGA] != 0
    assert (scalars[linked, OMEGA] < -0.8).float().mean() > 0.9


# Orientation


def test_side_chain_direction_is_exact_in_a_tetrahedral_l_amino_acid() -> None:
    # CORN rule: with H toward the viewer (+z), CO, R, N run clockwise. So does this tetrahedron.
    def arm(degrees: float) -> list[float]:
        flat = math.sqrt(8) / 3
        return [flat * math.cos(math.radians(degrees)), flat * math.sin(math.radians(degrees)), -1 / 3]

    co, r, n = arm(90), arm(-30), arm(-150)
    coordinates = torch.tensor([[n, [0.0, 0, 0], co, co]], dtype=torch.float64)
    side = one_protein(coordinates)[1][:, 0, SIDE]
    torch.testing.assert_close(side, torch.tensor(r, dtype=torch.float64), atol=1e-12, rtol=0)


def test_side_chain_direction_is_within_five_degrees_of_alanine_c_beta() -> None:
    # Ideal alanine, C-alpha at the origin (Engh & Huber bond lengths and angles), angstrom.
    n, c, c_beta = [-0.525, 1.363, 0.0], [1.526, 0.0, 0.0], torch.tensor([-0.529, -0.774, -1.205])
    side = one_protein(torch.tensor([[n, [0.0, 0, 0], c, c]]))[1][:, 0, SIDE]
    assert torch.cosine_similarity(side, c_beta, dim=0) > math.cos(math.radians(5))


def test_forward_and_backward_are_unit_vectors_to_the_chain_neighbours(sample_store: Store) -> None:
    coordinates = a_chain(sample_store)
    vectors = one_protein(coordinates)[1].movedim(0, -1)  # (L, 3 vectors, 3)
    step = np.diff(coordinates[:, 1].numpy(), axis=0)
    step /= np.linalg.norm(step, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[:-1, FORWARD], step, atol=1e-6)
    np.testing.assert_allclose(vectors[1:, BACKWARD], -step, atol=1e-6)
    assert (vectors[-1, FORWARD] == 0).all() and (vectors[0, BACKWARD] == 0).all()
    torch.testing.assert_close(vectors[:, SIDE].norm(dim=-1), torch.ones(len(vectors)))


@pytest.mark.parametrize("place", [1, 10])
def test_no_node_feature_is_computed_across_a_chain_break(sample_store: Store, place: int) -> None:
    # A gap parts a chain exactly as if its halves were two proteins.
    coordinates = a_chain(sample_store)
    whole = one_protein(coordinates)
    broken = coordinates.clone()
    broken[place:] += torch.tensor([1.5, 0, 0]) * (10 if place == 10 else 2)
    halves = [one_protein(broken[:place]), one_protein(broken[place:])]
    scalars, vectors = one_protein(broken)
    torch.testing.assert_close(scalars, torch.cat([h[0] for h in halves], 0), atol=1e-5, rtol=0)
    torch.testing.assert_close(vectors, torch.cat([h[1] for h in halves], 1), atol=1e-5, rtol=0)
    assert (scalars[place - 1, [PSI, OMEGA, 3 + PSI, 3 + OMEGA]] == 0).all()
    assert (scalars[place, [PHI, 3 + PHI]] == 0).all()
    assert (vectors[:, place - 1, FORWARD] == 0).all() and (vectors[:, place, BACKWARD] == 0).all()
    assert (whole[0][place, [PHI, 3 + PHI]] != 0).any()  # the gap is what took it away


def test_touching_proteins_of_a_batch_are_not_joined(sample_store: Store) -> None:
    # Within bonding distance, yet of two proteins.
    coordinates = a_chain(sample_store)
    batch = (torch.arange(len(coordinates)) >= 7).long()
    assert not joined(coordinates, batch)[6]
    assert joined(coordinates, batch)[7]


# Edges


def test_edge_features_come_from_the_pair_of_residues() -> None:
    batch = batch_of([random_chain(12, seed=6)], k=4)
    graph, ca = build_graph(batch), batch.coordinates[:, 1]
    for i, place in ((0, 0), (5, 3), (11, 1)):
        j = int(batch.neighbours[i, place])
        delta = ca[j] - ca[i]
        torch.testing.assert_close(graph.edge_v[:, i, place, 0], delta / delta.norm())
        torch.testing.assert_close(graph.radial[i, place], radial_basis(delta.norm(), 16))
        # Vaswani et al. (2017): cos and sin of offset / 10000^(2m/16).
        angle = torch.tensor([(j - i) / 1e4 ** (2 * m / 16) for m in range(8)])
        torch.testing.assert_close(
            graph.waves[graph.offsets[i, place]], torch.cat([angle.cos(), angle.sin()])
        )


def test_radial_basis_peaks_at_evenly_spaced_centres() -> None:
    centres = torch.linspace(0, 20, 16)
    values = radial_basis(centres, 16)
    torch.testing.assert_close(values.diagonal(), torch.ones(16))
    assert (values.argmax(1) == torch.arange(16)).all()
    assert (radial_basis(torch.tensor(60.0), 16) < 1e-6).all()


def test_radial_basis_is_the_gaussian_of_float64() -> None:
    distance = torch.linspace(0, 80, 4001)
    gap = (distance.double()[:, None] - torch.linspace(0, 20, 16).double()) / (20 / 16)
    exact, found = torch.exp(-gap.square()), radial_basis(distance, 16)
    torch.testing.assert_close(found.double(), exact, atol=2e-6, rtol=0)  # exp in float32: 1e-6
    assert found.isfinite().all() and found.min() >= 0


def test_edge_weights_average_over_real_edges_only() -> None:
    batch = batch_of([random_chain(3, seed=7), random_chain(1, seed=8), random_chain(20, seed=9)], k=5)
    weights = build_graph(batch).edge_weights
    assert weights is not None and batch.edge_valid is not None
    torch.testing.assert_close(weights.sum(1), (batch.edge_valid.any(1)).float())
    assert (weights[~batch.edge_valid] == 0).all()
    torch.testing.assert_close(weights[0], torch.tensor([0.5, 0.5, 0, 0, 0]))


def test_a_protein_of_one_residue_has_finite_features() -> None:
    graph = build_graph(batch_of([random_chain(1, seed=10)]))
    assert all(getattr(graph, f.name).isfinite().all() for f in fields(graph))
    assert (graph.node_s == 0).all()


def test_a_missing_oxygen_touches_no_feature() -> None:
    batch = batch_of([random_chain(15, seed=11)])
    without = replace(batch, coordinates=batch.coordinates.clone())
    without.coordinates[:, 3] = torch.nan
    a, b = build_graph(batch), build_graph(without)
    for name in ("node_s", "node_v", "radial", "edge_v"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name))
