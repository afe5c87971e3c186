"""A trained model, ready for structures: ``bioblobs.load("model.ckpt").predict("1abc.pdb")``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioblobs.checkpoints.file import load_model
from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Chain
from bioblobs.inference.device import choose
from bioblobs.inference.predict import predictions
from bioblobs.inference.records import chain_records, explanation
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.prediction.card_text import as_markdown
from bioblobs.prediction.limits import Limits, unread_note
from bioblobs.prediction.predicted import ChainPrediction, Skipped, StructurePrediction
from bioblobs.prediction.result import Result
from bioblobs.prediction.structure_files import (
    ChainIds,
    PathLike,
    ReadChain,
    ReadFile,
    find_files,
    read_files,
    safe_names,
    shown_name,
)
from bioblobs.proteins.record import Protein
from bioblobs.store.arrays import pack

CARD_KEYS = (
    "task", "task_title", "multilabel", "split_column", "data", "seed", "epoch", "validation", "test",
    "test_proteins", "baselines", "calibration", "training", "versions", "license",
)  # fmt: skip
"""Entries of a model's card that predictions.json repeats."""


def load(path: PathLike, device: str | torch.device = "auto", calibrated: bool = False) -> Model:
    """Load the model of a checkpoint, such as outputs/final_multistage_model.ckpt.

    Args:
        device: auto (the GPU, if there is one), cpu, cuda, or a torch device.
        calibrated: divide logits, and with them base and contributions, by the temperature that was fitted
            on the validation chains: same classes and ranks, other probabilities.

    Raises:
        BioBlobsError: there is no such device; no checkpoint, or it is damaged or not one of ours; or its
            card has no temperature.
    """
    place = choose(device)
    network, card = load_model(path)
    if width := card.get("embedding_dim"):
        raise BioBlobsError(
            f"{path}: reads embeddings of {width} numbers per residue, which come with a store alone "
            "(docs/embeddings.md); name a model of structures"
        )
    temperature = None
    if calibrated:
        if (temperature := card.get("calibration", {}).get("temperature")) is None:
            raise BioBlobsError(
                f"{path}: can't be calibrated: its card has no temperature; run evaluate again"
            )
        network.readout.divide(temperature)
    return Model(network.to(place), card, Path(path), temperature)


class Model:
    """A network with its card.

    Attributes:
        network: the torch module, in evaluation mode.
        card: what it was trained on and how well it does (plain values; :meth:`describe` prints it).
        path: where it came from.
        classes: class identifier -> name, in the order of the network's outputs.
        explanation: head, view of blobs, and what each class has before any blob is read (None: attention).
        temperature: that its logits were divided by; None: they are as trained.
    """

    def __init__(
        self, network: BioBlobs, card: Mapping[str, Any], path: Path, temperature: float | None = None
    ) -> None:
        try:
            self.edge_types: str = card["data"]["edge_types"]
            self.classes: dict[str, str] = dict(zip(card["classes"], card["class_names"], strict=True))
            self.multilabel: bool = card["multilabel"]
            self.explanation = explanation(network, card["architecture"], list(self.classes))
        except (KeyError, TypeError, ValueError) as error:
            raise BioBlobsError(f"{path}: its card does not say how to use it ({error})") from error
        self.network, self.card, self.path, self.temperature = network, card, path, temperature
        self.limits = Limits.of_card(card)

    def __repr__(self) -> str:
        return f"<BioBlobs model {self.path.name}: {self.card['task']}, {len(self.classes)} classes>"

    @property
    def about(self) -> dict[str, Any]:
        """The card in short, as predictions.json has it (prediction/schema.json, ``model``)."""
        known = {key: self.card[key] for key in CARD_KEYS if key in self.card}
        coded = self.card["architecture"].get("blob_input") if self.card["with_codebook"] else None
        own = {"file": self.path.name, "classes": self.classes, "temperature": self.temperature}
        return {**own, **self.explanation, "blob_input": coded, **known}

    def describe(self) -> str:
        """The model's card in Markdown."""
        return as_markdown(self.card, self.path.name)

    def predict(
        self, *paths: PathLike | Iterable[PathLike], chain: str | Iterable[str] = "", workers: int = 1
    ) -> Result:
        """Predict every protein chain of structure files and of folders of them.

        PDB and mmCIF, plain, ``.gz`` or ``.bz2``.

        Args:
            paths: files and folders, or lists of them.
            chain: only chains of this name, or of these; empty: all.
            workers: processes that read files; 0: one per core (then a script needs a ``__main__`` guard).

        Returns:
            One record per chain; files and chains that cannot be used are in its ``skipped``.

        Raises:
            BioBlobsError: no path was given, or something else than paths; a folder has no structure files;
                no chain could be predicted; or the number of workers is below 0.
        """
        made = list(self.stream(find_files(paths), chain, workers))
        skipped = [each for structure in made for each in structure.skipped]
        if skipped and not any(structure.chains for structure in made):
            first = skipped[0]
            raise BioBlobsError(f"nothing could be predicted; the first, {first.file}: {first.reason}")
        return Result(self, made)

    def stream(
        self,
        files: PathLike | Iterable[PathLike],
        chain: str | Iterable[str] = "",
        workers: int = 1,
    ) -> Iterator[StructurePrediction]:
        """Predict one structure at a time, in the order of the files, in constant memory.

        Args:
            files: one file or folder, or a list of them; a file that is named twice is read once.
            chain: only chains of this name, or of these; empty: all.
            workers: processes that read files; 0: one per core (then a script needs a ``__main__`` guard).

        Yields:
            One record per file; one that cannot be read has no chains, and the reason in ``skipped``.

        Raises:
            BioBlobsError: with the first record, where :meth:`predict` raises it, but not for want of chains.
        """
        files = find_files(files)
        if not files:
            raise BioBlobsError("no structure file was named")
        every = safe_names(files)
        names, ids = iter(every), ChainIds(every)
        with closing(read_files(files, chain, workers)) as chunks:
            for chunk in chunks:
                yield from self._predict(chunk, [next(names) for _ in chunk], ids)

    def _predict(
        self, files: list[ReadFile], names: list[str], ids: ChainIds
    ) -> Iterator[StructurePrediction]:
        of_file = zip(files, names, strict=True)
        chains = [(chain, ids.give(name, chain.name)) for file, name in of_file for chain in file.chains]
        made = iter(self._records([chain.protein for chain, _ in chains], [id for _, id in chains]))
        for file, name in zip(files, names, strict=True):
            yield StructurePrediction(
                path=file.path,
                name=name,
                models=file.models,
                chains=[self._chain(file, chain, next(made)) for chain in file.chains],
                skipped=[Skipped(shown_name(file.path), chain, reason) for chain, reason in file.skipped],
            )

    def _records(self, proteins: list[Protein], ids: list[str]) -> list[Chain]:
        """Records of these proteins, made as the pipeline makes them."""
        if not proteins:
            return []
        packed = pack(proteins, self.edge_types, self.classes, self.multilabel)
        made = predictions(self.network, packed, np.arange(len(packed)), title=None)
        return [chain for batch, found in made for chain in chain_records(packed, ids, batch, found)]

    def _chain(self, file: ReadFile, read: ReadChain, explained: Chain) -> ChainPrediction:
        beyond, base = self.limits.notes(len(read.protein)), self.explanation["base"]
        unread = unread_note(explained) if base else []
        return ChainPrediction(
            **vars(explained) | {"true": None},
            file=shown_name(file.path),
            chain=read.name,
            label=read.label,
            protein=read.protein,
            class_names=self.classes,
            notes=[*beyond, *unread, *read.notes],
            outside=bool(beyond),
            base=base[explained.explained] if base else None,
        )
