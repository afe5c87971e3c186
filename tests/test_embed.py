"""The command `bioblobs embed`: a stub encoder, and a tiny ESM-2 where transformers is there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from bioblobs.cli import main
from bioblobs.commands import embed
from bioblobs.commands.embed import EsmEncoder, weights_digest
from bioblobs.proteins.record import Protein
from bioblobs.sources.input_chains import input_chains
from structure_files import DATA

FILE = str(DATA / "break.pdb")


class Stub:
    """Encoder of width 2."""

    source = "stub"

    def __init__(self, name: str, device: torch.device) -> None:
        assert (name, device.type) == ("esm2_t6_8M", "cpu")

    def __call__(self, batch: Sequence[Protein]) -> list[np.ndarray]:
        return [np.ones((len(protein), 2), np.float32) for protein in batch]


def status(*words: str) -> int | str:
    with pytest.raises(SystemExit) as end:
        main(["embed", *words])
    return end.value.code or 0


def test_it_writes_the_file_and_says_how_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(embed, "EsmEncoder", Stub)
    out = tmp_path / "made.h5"
    assert status(FILE, "--out", str(out), "--encoder", "esm2_t6_8M", "--device", "cpu") == 0
    ((name, chain),) = input_chains(FILE)
    assert isinstance(chain, Protein)
    with h5py.File(out) as file:
        assert file[name].shape[1] == 2 and file[name].dtype == np.float16
    said = capsys.readouterr().out
    assert f"{out}: embeddings of 1 chains" in said and f"data.embeddings={out}" in said


def test_without_transformers_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    said = str(status(FILE, "--out", str(tmp_path / "made.h5"), "--encoder", "esm2_t6_8M"))
    assert 'pip install -e ".[embed]"' in said and "\n" not in said
    assert not any(tmp_path.iterdir())


def test_the_digest_tells_weights_apart() -> None:
    first, second = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert weights_digest(first) != weights_digest(second)
    second.load_state_dict(first.state_dict())
    assert weights_digest(first) == weights_digest(second)


# With transformers

TOKENS = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of a random ESM-2 of width 8, as save_pretrained writes it."""
    transformers = pytest.importorskip("transformers", reason="transformers is optional: bioblobs[embed]")
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "vocab.txt").write_text("\n".join(TOKENS))
    torch.manual_seed(0)
    config = transformers.EsmConfig(
        vocab_size=len(TOKENS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        position_embedding_type="rotary",
        token_dropout=True,
        mask_token_id=TOKENS.index("<mask>"),
        pad_token_id=TOKENS.index("<pad>"),
    )
    transformers.EsmModel(config, add_pooling_layer=False).save_pretrained(folder)
    transformers.EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def test_rows_of_a_padded_batch_are_those_of_each_chain_by_itself(tiny: str) -> None:
    encoder = EsmEncoder(tiny, torch.device("cpu"))
    names = ("break.pdb", "altlocs.pdb")
    chains = [chain for name in names for _, chain in input_chains(DATA / name)]
    proteins = [chain for chain in chains if isinstance(chain, Protein)]
    assert len({len(protein) for protein in proteins}) > 1
    for protein, rows in zip(proteins, encoder(proteins), strict=True):
        assert rows.shape == (len(protein), 8)
        np.testing.assert_allclose(rows, encoder([protein])[0], atol=1e-5)


def test_weights_that_are_not_there_are_one_line(tiny: str, tmp_path: Path) -> None:
    words = (FILE, "--out", str(tmp_path / "made.h5"), "--encoder")
    (tmp_path / "empty").mkdir()
    for name, expected in (("esm9", "no such encoder"), (str(tmp_path / "empty"), "neither here nor")):
        said = str(status(*words, name))
        assert expected in said and name in said and "\n" not in said
    assert not (tmp_path / "made.h5").exists()
