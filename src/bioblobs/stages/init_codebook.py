"""DVC stage ``init_codebook``: k-means over blob embeddings of training batches fills the codebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bioblobs.checkpoints.build import add_codebook, architecture
from bioblobs.checkpoints.file import check_architecture, load_model, write_checkpoint
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.inference.device import choose
from bioblobs.inference.predict import predictions
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.store.batches import plan_batches
from bioblobs.store.packed import open_store
from bioblobs.training.codebook_init import blob_embeddings, fill


def run(config: Config, paths: Paths) -> None:
    """Write stage 0's model with a filled codebook, and how well it fits the blobs."""
    seed, stage1 = config.train.seed, config.multistage.stage1
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    path = paths.final_checkpoint(0)
    model, card = load_model(path, store.classes)
    model = model.to(choose(config.train.accelerator))
    check_architecture(path, card, architecture(config.model, with_codebook=False))
    plan = plan_batches(
        store.rows("train"), store.lengths, config.train.batch_size, config.train.max_residues, seed
    )[: stage1.kmeans_batches]
    rows = np.concatenate(plan)
    blobs = np.concatenate([blob_embeddings(p) for _, p in predictions(model, store, rows, "blobs")])
    torch.manual_seed(seed)
    codebook = add_codebook(model.cpu(), config.model)
    report = {
        "blobs": len(blobs),
        "batches": len(plan),
        "codes": codebook.size,
        **fill(codebook, blobs, stage1.kmeans_init, len(plan), seed),
    }
    write_json(Path(paths.metrics) / "codebook_init.json", report)
    architecture_now = architecture(config.model, with_codebook=True)
    write_checkpoint(paths.codebook, model, {**card, "architecture": architecture_now, "with_codebook": True})
    print(
        f"codebook: {codebook.size} codes from {len(blobs)} blobs of {len(rows)} training proteins: {report}"
    )


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))
