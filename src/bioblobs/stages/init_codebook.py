"""DVC stage ``init_codebook``: k-means over blob embeddings of training batches fills the codebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from bioblobs.checkpoints.build import add_codebook, architecture
from bioblobs.checkpoints.file import (
    check_architecture,
    check_classes,
    load_model,
    write_checkpoint,
)
from bioblobs.config.parsing import parse
from bioblobs.config.schema import Config, Paths
from bioblobs.errors import one_line_errors
from bioblobs.inference.device import choose
from bioblobs.inference.predict import predictions
from bioblobs.inference.process import begin
from bioblobs.io import write_json
from bioblobs.store.batches import plan_batches
from bioblobs.store.packed import open_store
from bioblobs.training.codebook_init import blob_embeddings, kmeans_codes, random_codes, usage


def run(config: Config, paths: Paths) -> None:
    """Write stage 0's model with a filled codebook, and how well it fits the blobs."""
    seed, stage1 = config.train.seed, config.multistage.stage1
    begin(config.train.num_threads)
    store = open_store(paths.prepared, config.data.identity())
    path = paths.final_checkpoint(0)
    model, card = load_model(path)
    model = model.to(choose(config.train.accelerator))
    check_architecture(path, card, architecture(config.model, with_codebook=False))
    check_classes(path, card, store.classes)
    plan = plan_batches(
        store.rows("train"), store.lengths, config.train.batch_size, config.train.max_residues, seed
    )[: stage1.kmeans_batches]
    rows = np.concatenate(plan)
    blobs = np.concatenate([blob_embeddings(p) for _, p in predictions(model, store, rows, "blobs")])
    if config.model.codebook_distance == "cos":
        blobs = F.normalize(torch.from_numpy(blobs), dim=-1).numpy()
    torch.manual_seed(seed)
    add_codebook(model.cpu(), config.model)
    codebook = model.codebook
    assert codebook is not None
    size = config.model.codebook_size
    codebook.fill(torch.from_numpy(random_codes(blobs, size, seed)), torch.ones(size))
    report: dict[str, Any] = {
        "blobs": len(blobs),
        "batches": len(plan),
        "codes": size,
        "before": usage(codebook, blobs),
    }
    if stage1.kmeans_init:
        centres, counts, inertia = kmeans_codes(blobs, size, seed)
        # EMA counts are blobs per batch: what the moving average would have settled at.
        codebook.fill(torch.from_numpy(centres), torch.from_numpy(counts / len(plan)).float())
        report |= {"inertia": round(inertia, 4), "after": usage(codebook, blobs)}
    write_json(Path(paths.metrics) / "codebook_init.json", report)
    architecture_now = architecture(config.model, with_codebook=True)
    write_checkpoint(paths.codebook, model, {**card, "architecture": architecture_now, "with_codebook": True})
    print(f"codebook: {size} codes from {len(blobs)} blobs of {len(rows)} training proteins: {report}")


def main(args: Sequence[str] | None = None) -> None:
    """Command line of the stage."""
    with one_line_errors():
        run(*parse(__doc__ or "", args))


if __name__ == "__main__":
    main()
