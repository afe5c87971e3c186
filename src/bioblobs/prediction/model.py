"""A trained model, ready for structures: ``bioblobs.load("model.ckpt").predict("1abc.pdb")``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioblobs.checkpoints.file import load_model
from bioblobs.errors import BioBlobsError
from bioblobs.inference.predict import predictions
from bioblobs.inference.records import explanation, protein_records
from bioblobs.models.bioblobs import BioBlobs
from bioblobs.prediction.card import as_markdown
from bioblobs.prediction.limits import Limits
from bioblobs.prediction.reading import ReadChain, ReadFile, find_files, read_files, safe_names
from bioblobs.prediction.records import Blob, ChainPrediction, Skipped, StructurePrediction
from bioblobs.prediction.result import Result
from bioblobs.proteins.record import Protein
from bioblobs.store.packed import Store
from bioblobs.store.writer import StoreWriter

PathLike = Path | str
CARD_KEYS = (
    "task", "multilabel", "split_column", "data", "seed", "epoch", "validation", "test", "test_proteins",
    "training", "versions", "license",
)  # fmt: skip
"""What predictions.json repeats of a model's card."""


def load(path: PathLike) -> Model:
    """The model of a checkpoint, such as outputs/final_multistage_model.ckpt.

    Raises:
        BioBlobsError: there is none, or it is damaged or not one of ours.
    """
    network, card = load_model(path)
    return Model(network, card, Path(path))


class Model:
    """A network with its card.

    Attributes:
        network: the torch module, in evaluation mode.
        card: what it was trained on and how well it does (plain values; :meth:`describe` prints it).
        path: where it came from.
        classes: class identifier -> name, in the order of the network's outputs.
        explanation: head, view of blobs, and what each class has before any blob is read (None: attention).
    """

    def __init__(self, network: BioBlobs, card: Mapping[str, Any], path: Path) -> None:
        try:
            self.edge_types: str = card["data"]["edge_types"]
            self.classes: dict[str, str] = dict(zip(card["classes"], card["class_names"], strict=True))
            self.multilabel: bool = card["multilabel"]
            self.explanation = explanation(network, card["architecture"], list(self.classes))
        except (KeyError, TypeError, ValueError) as error:
            raise BioBlobsError(f"{path}: its card does not say how to use it ({error})") from error
        self.network, self.card, self.path = network, card, path
        self.limits = Limits.of_card(card)

    def __repr__(self) -> str:
        return f"<BioBlobs model {self.path.name}: {self.card['task']}, {len(self.classes)} classes>"

    @property
    def about(self) -> dict[str, Any]:
        """The card in short, as predictions.json has it (prediction/schema.json, ``model``)."""
        known = {key: self.card[key] for key in CARD_KEYS if key in self.card}
        return {"file": self.path.name, "classes": self.classes, **self.explanation, **known}

    def describe(self) -> str:
        """The model's card in Markdown."""
        return as_markdown(self.card, self.path.name)

    def predict(self, *paths: PathLike, chain: str = "", workers: int = 1) -> Result:
        """Predict every protein chain of structure files and of folders of them.

        PDB and mmCIF, plain, ``.gz`` or ``.bz2``.

        Args:
            paths: files and folders.
            chain: only chains of this name; empty: all.
            workers: processes that read files; 0: one a core (then a script needs a ``__main__`` guard).

        Returns:
            One record a chain; files and chains that cannot be used are in its ``skipped``.

        Raises:
            BioBlobsError: no path was given, or a folder has no structure files.
        """
        return Result(self, list(self.stream(find_files(paths), chain, workers)))

    def stream(self, files: list[Path], chain: str = "", workers: int = 1) -> Iterator[StructurePrediction]:
        """As :meth:`predict`, one structure at a time in the order of the files: memory does not grow."""
        if not files:
            raise BioBlobsError("no structure file was named")
        names = iter(safe_names(files))
        with closing(read_files(files, chain, workers)) as chunks:
            for chunk in chunks:
                yield from self._predict(chunk, [next(names) for _ in chunk])

    def _predict(self, files: list[ReadFile], names: list[str]) -> Iterator[StructurePrediction]:
        chains = [chain for file in files for chain in file.chains]
        ids = [
            f"{name}_{chain.name}" if chain.name else name
            for file, name in zip(files, names, strict=True)
            for chain in file.chains
        ]
        made = zip(ids, self._records([chain.protein for chain in chains], ids), strict=True)
        for file, name in zip(files, names, strict=True):
            yield StructurePrediction(
                path=file.path,
                name=name,
                models=file.models,
                chains=[self._chain(file, chain, *next(made)) for chain in file.chains],
                skipped=[Skipped(str(file.path), chain, reason) for chain, reason in file.skipped],
            )

    def _records(self, proteins: list[Protein], ids: list[str]) -> list[dict[str, Any]]:
        """What the pipeline says of these proteins: through a store of their own, as it does."""
        if not proteins:
            return []
        with tempfile.TemporaryDirectory(prefix="bioblobs-") as folder:
            store = self._store(Path(folder) / "store", proteins, ids)
            made = predictions(self.network, store, np.arange(len(store)), title=None)
            return [
                record
                for batch, prediction in made
                for record in protein_records(store, ids, batch, prediction)
            ]

    def _store(self, path: Path, proteins: list[Protein], ids: list[str]) -> Store:
        count = len(proteins)
        labels = np.zeros((count, len(self.classes)), np.bool_) if self.multilabel else np.full(count, -1)
        table = pd.DataFrame({"id": ids, "length": [len(protein) for protein in proteins]})
        meta = {
            "multilabel": self.multilabel,
            "classes": list(self.classes),
            "class_names": list(self.classes.values()),
            "parameters": {"edge_types": self.edge_types},
        }
        with StoreWriter(path, self.edge_types) as writer:
            for protein in proteins:
                writer.add(protein)
            writer.finish(labels, np.zeros(count, np.uint8), table, meta)
        return Store(path)

    def _chain(
        self, file: ReadFile, chain: ReadChain, name: str, record: Mapping[str, Any]
    ) -> ChainPrediction:
        beyond = self.limits.notes(len(chain.protein))
        return ChainPrediction(
            id=name,
            file=str(file.path),
            chain=chain.name,
            label=chain.label,
            protein=chain.protein,
            predicted=record["predicted"],
            explained=record["explained"],
            probabilities=record["probabilities"],
            logits=record["logits"],
            class_names=self.classes,
            blobs=ranked(record["blobs"]),
            notes=[*beyond, *chain.notes],
            outside=bool(beyond),
        )


def ranked(blobs: Iterable[Mapping[str, Any]]) -> list[Blob]:
    """A record's blobs, numbered from 1; equal ones in the order they were grown.

    By falling contribution where there is one, so that blobs that argue against come last; importance has the
    same order where contributions are positive. With an attention head by falling importance.
    """

    def rank(blob: Mapping[str, Any]) -> float:
        return -(blob["importance"] if blob["contribution"] is None else blob["contribution"])

    return [
        Blob(
            number=number,
            importance=blob["importance"],
            contribution=blob["contribution"],
            contributions=blob["contributions"],
            code=blob["code"],
            seed=blob["seed"],
            residues=blob["residues"],
            author=[label.rpartition("/")[2] for label in blob["author"]],
            sequence=blob["sequence"],
            membership=blob["membership"],
        )
        for number, blob in enumerate(sorted(blobs, key=rank), start=1)
    ]
