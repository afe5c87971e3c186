"""Keys of the group ``data``: which proteins, labelled how and split how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from bioblobs.config.groups import NO_SHAPE, Group, Refuse, shaping_values
from bioblobs.config.ranges import EdgeTypes, NonNegativeInt, PositiveInt, Text, UnitFloat

DatasetName = Literal["enzymecommission", "geneontology", "proteinfamily", "scop"]
Split = Literal["random", "sequence", "structure"]
SHAKE_THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""ProteinShake's thresholds; a file may lack some (docs/data.md), which its columns tell."""


@dataclass
class DataConfig(Group):
    """Proteins, their labels and their split.

    Args:
        source: where the proteins come from: the embedded sample, ProteinShake's data sets, or a folder of
            your own structure files (data.folder, data.table; not data_dir).
        dataset_name: the task.
        ec_level: EC fields predicted: 1, the class (2), to 4, all (2.7.7.4) (enzymecommission only).
        scop_level: level of the SCOP hierarchy that is predicted (scop only).
        split: which published split column assigns train, val and test.
        split_similarity_threshold: highest similarity between train and test (not for random).
        split_fractions: shares of train, val and test in a split that is made here (docs/splits.md).
        data_dir: folder that holds sample/ and ProteinShake's files.
        folder: folder of PDB and mmCIF files, searched with the folders in it (source folder only).
        table: CSV or TSV in that folder, with the columns file, label (several: a|b) and, where needed,
            chain and split; null: labels.csv or labels.tsv.
        min_class_size: leave out classes with fewer chains (of all splits); null: 5, 50 for geneontology.
        subset: keep about this many chains, stratified by split and class; null: all.
        max_length: leave out longer chains (residues); null: none.
        embeddings: per-residue embeddings that the encoders read beside residue identity, or instead of it
            (model.seq_in false): an HDF5 file, or a folder of .npy files (docs/embeddings.md); null: none.
        edge_types: knn_K, edges from the K nearest C-alphas; eps_R, from all within R angstrom.
        task_title: what the labels are called in cards, predictions and reports; null: the name of the task,
            or "your labels" (source folder).
        seed: of what preparation draws: a subset, and splits that are made here.
        workers: processes that prepare data; 0: one per core. The store is the same for any number.
    """

    path: ClassVar[str] = "data"
    source: Literal["sample", "proteinshake", "folder"] = "sample"
    dataset_name: DatasetName = "scop"
    ec_level: Literal[1, 2, 3, 4] = 1
    scop_level: Literal["class", "fold", "superfamily", "family"] = "class"
    split: Split = "structure"
    split_similarity_threshold: UnitFloat = 0.7
    split_fractions: tuple[UnitFloat, UnitFloat, UnitFloat] = (0.8, 0.1, 0.1)
    data_dir: Text = field(default="./data", metadata=NO_SHAPE)
    folder: Text = "data/structures"
    table: Text | None = None
    min_class_size: PositiveInt | None = None
    subset: PositiveInt | None = None
    max_length: PositiveInt | None = None
    embeddings: Text | None = None
    edge_types: EdgeTypes = "knn_30"
    task_title: Text | None = field(default=None, metadata=NO_SHAPE)
    seed: NonNegativeInt = 0
    workers: NonNegativeInt = field(default=0, metadata=NO_SHAPE)

    def check(self) -> None:
        """Refuse impossible combinations."""
        refuse, shares = Refuse(self.path), tuple(self.split_fractions)
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            refuse("split_fractions", list(shares), "shares of train, val and test, above 0, that sum to 1")
        threshold = self.split_similarity_threshold
        if self.source == "proteinshake" and self.split != "random" and threshold not in SHAKE_THRESHOLDS:
            published = ", ".join(f"{each:g}" for each in SHAKE_THRESHOLDS)
            refuse("split_similarity_threshold", threshold, f"one of {published} (ProteinShake's)")

    def identity(self) -> dict[str, Any]:
        """Return every key that shapes a store, by its name in the group; ``embeddings`` only where set."""
        found = {key.removeprefix("data."): value for key, value in shaping_values(self).items()}
        if found["embeddings"] is None:
            del found["embeddings"]  # stores and cards made before there was a choice say the same
        return found
