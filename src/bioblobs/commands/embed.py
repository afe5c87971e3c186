"""``bioblobs embed``: per-residue embeddings of chains by ESM-2, as a file for ``data.embeddings``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioblobs.config.parsing import Parser
from bioblobs.errors import BioBlobsError, printable
from bioblobs.inference.device import choose
from bioblobs.proteins.alphabet import decode
from bioblobs.proteins.record import Protein

ENCODERS = {
    f"esm2_{size}": f"facebook/esm2_{size}_UR50D"
    for size in ("t6_8M", "t12_35M", "t30_150M", "t33_650M", "t36_3B", "t48_15B")
}
"""Names of encoders -> those under which transformers finds their weights."""


def main(args: Sequence[str]) -> int:
    """Embed the chains and print what was written; return 0."""
    options = parser().parse_args(args)
    encoder = EsmEncoder(options.encoder, choose(options.device))
    from bioblobs.sources.embedding_file import write_embeddings  # needs h5py, which the extra brings
    from bioblobs.sources.input_chains import input_chains

    chains = input_chains(options.input, options.max_length)
    written = write_embeddings(Path(options.out), chains, encoder, encoder.source, options.batch_residues)
    print(printable(str(written)))
    print(f"read them with data.embeddings={options.out}")
    return 0


class EsmEncoder:
    """ESM-2 by transformers: last hidden layer per residue, without the tokens at the ends.

    Attributes:
        source: name of the encoder and digest of its weights.

    Raises:
        BioBlobsError: transformers or the weights are not there, or it is no model of proteins.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        try:
            import transformers
        except ImportError as error:
            raise BioBlobsError(
                f'--encoder: transformers is missing ({error}); pip install -e ".[embed]" in the repository'
            ) from error
        if name not in ENCODERS and not Path(name).is_dir():
            raise BioBlobsError(
                f"--encoder: {name}: no such encoder, and no folder of weights; name one of "
                f"{', '.join(ENCODERS)}, or a folder that save_pretrained wrote"
            )
        place = ENCODERS.get(name, name)
        try:
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(place)
            self.model: Any = transformers.EsmModel.from_pretrained(place, add_pooling_layer=False)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            said = " ".join(str(error).split())[:200]
            raise BioBlobsError(
                f"--encoder: {name}: weights neither here nor to be downloaded ({said}); copy them to a "
                "folder and name that"
            ) from error
        self.model.eval().to(device)
        self.device = device
        self.source = f"{name}, weights {weights_digest(self.model)}"

    @torch.inference_mode()
    def __call__(self, batch: Sequence[Protein]) -> list[NDArray[np.float32]]:
        """Embed a batch: (L, width) per protein of L residues."""
        sequences = [decode(protein.residue_types) for protein in batch]
        tokens = self.tokenizer(sequences, return_tensors="pt", padding=True).to(self.device)
        hidden = self.model(**tokens).last_hidden_state.float().cpu().numpy()
        return [rows[1 : 1 + len(protein)] for rows, protein in zip(hidden, batch, strict=True)]


def weights_digest(model: torch.nn.Module) -> str:
    """Digest of the sums of a model's weights, which tells two models of one name apart."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(values.shape)} {values.double().sum().item()!r}".encode())
    return digest.hexdigest()[:16]


def parser() -> Parser:
    """Make the parser of the command's arguments."""
    made = Parser(
        prog="bioblobs embed",
        description="Make per-residue embeddings for data.embeddings (docs/embeddings.md). A run that was "
        "stopped goes on when it is started again.",
    )
    made.add_argument("input", help="a prepared store, structure files, a folder of them, or data/sample")
    made.add_argument("--out", type=str, required=True, help="HDF5 file to write")
    made.add_argument(
        "--encoder", type=str, required=True, help=f"{', '.join(ENCODERS)}, or a folder of such weights"
    )
    made.add_argument("--max-length", type=int | None, help="leave longer chains out")
    made.add_argument(
        "--batch-residues", type=int, default=4000, help="most residues per batch, padding included"
    )
    made.add_argument("--device", type=str, default="auto", help="auto, cpu or cuda")
    return made
