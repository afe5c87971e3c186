"""One training stage as a LightningModule."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch import distributed as dist
from torch.optim.lr_scheduler import LambdaLR

from bioblobs.checkpoints.build import architecture, build_model
from bioblobs.checkpoints.file import FORMAT
from bioblobs.config.recipe import of_stage0, recipe
from bioblobs.config.schema import Config, Stage0Config, Stage1Config
from bioblobs.errors import BioBlobsError
from bioblobs.evaluation.scores import fmax, macro_scores
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.bioblobs import Prediction
from bioblobs.models.codebook import perplexity
from bioblobs.models.partitioner import Blobs
from bioblobs.models.processes import sum_over_processes
from bioblobs.proteins.alphabet import UNKNOWN
from bioblobs.training.divergence import Losses
from bioblobs.training.epoch_sums import EpochSums
from bioblobs.training.losses import LossWeights, loss_terms, ramp, temperature
from bioblobs.training.optimizer import make_optimizer


class BlobModule(LightningModule):
    """Losses, schedules and validation scores of stage 0 (no codebook) or stage 1.

    Args:
        config: keys of the run; the groups ``model``, ``train`` and ``multistage`` are read.
        stage: 0 or 1.
        num_classes: classes of the data set.
        multilabel: True if a protein may have several.
        embedding_dim: width of the embeddings that come with the residues; 0: there are none.
    """

    def __init__(
        self,
        config: Config,
        stage: int = 0,
        num_classes: int = 2,
        multilabel: bool = False,
        embedding_dim: int = 0,
    ) -> None:
        super().__init__()
        stages = config.multistage
        model, self.keys = config.model, config.train
        self.plan: Stage0Config | Stage1Config = stages.stage1 if stage else stages.stage0
        self.stage, self.multilabel, self.seed = stage, multilabel, config.train.seed
        self.first_epoch = stages.stage0.epochs if stage else 0  # the temperature goes on from there
        with_codebook = isinstance(self.plan, Stage1Config) or not self.plan.bypass_codebook
        self.size_prior = model.cluster_size_prior
        self.tau = (model.tau_init, model.tau_min, model.tau_decay)
        self.architecture = architecture(model, with_codebook)
        self.recipe = recipe(config) if stage else of_stage0(recipe(config))
        self.weights = LossWeights(**_lambdas(self.plan))
        if with_codebook:
            self.weights = replace(self.weights, beta=model.codebook_beta, psc_temp=model.psc_temp)
        self._class_weights: Tensor | None = None
        self.model = build_model(model, num_classes, with_codebook, multilabel, embedding_dim)
        for part in (self.model.encoder, self.model.blob_encoder):
            if part is not None:
                part.keep_activations(not self.keys.recompute)
        self.score = "val_fmax" if multilabel else "val_acc"
        by_recall = self.keys.choose_by == "macro_recall" and not multilabel
        self.monitor = "val_macro_recall" if by_recall else self.score
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._so_far = EpochSums()
        self._losses = Losses()

    def parameter_summary(self) -> str:
        """Number of parameters, in all and per part."""
        parts = {
            name: sum(p.numel() for p in part.parameters()) for name, part in self.model.named_children()
        }
        counts = ", ".join(f"{name} {count:,}" for name, count in parts.items() if count)
        return f"{sum(parts.values()):,} parameters ({counts})"

    def forward(self, batch: ProteinBatch) -> Prediction:
        """Predict a batch (:class:`~bioblobs.models.bioblobs.BioBlobs`)."""
        prediction: Prediction = self.model(batch)
        return prediction

    @property
    def vq_share(self) -> float:
        """Share of the full VQ weights in this epoch."""
        if isinstance(self.plan, Stage0Config):
            return 1.0
        rise = self.plan.loss_ramp
        return ramp(self.current_epoch, rise.enabled, rise.ramp_epochs)

    def on_fit_start(self) -> None:
        """Weigh the classes by the training proteins, where that is asked for."""
        if self.keys.class_weights == "balanced" and not self.multilabel:
            weights = self.trainer.datamodule.balanced_weights()  # type: ignore[attr-defined]
            self._class_weights = torch.tensor(weights, dtype=torch.float32, device=self.device)

    def on_train_start(self) -> None:
        """Follow the epoch: one that goes on after an interruption has no start of its own."""
        self._follow_epoch()

    def on_train_epoch_start(self) -> None:
        """Set what follows the epoch (:meth:`_follow_epoch`)."""
        self._follow_epoch()

    def _follow_epoch(self) -> None:
        """Set what follows the epoch: temperature and frozen codebook."""
        self.model.partitioner.tau.fill_(temperature(self.first_epoch + self.current_epoch, *self.tau))
        if self.model.codebook is not None and isinstance(self.plan, Stage1Config):
            self.model.codebook.frozen = self.current_epoch >= self.plan.epochs - self.plan.freeze_epochs

    def on_train_batch_start(self, batch: ProteinBatch, batch_idx: int) -> None:
        """Draw from (seed, batch, process), so that a resumed run draws what an uninterrupted one would."""
        together = self.trainer.accumulate_grad_batches  # batches of one step
        number = self.global_step * together + batch_idx % together
        torch.manual_seed((self.seed * 1_000_003 + number) * 1_009 + self.global_rank)

    def training_step(self, batch: ProteinBatch, batch_idx: int) -> Tensor:
        """Weighted loss of one batch, augmented."""
        shaken = augmented(batch, self.keys.coordinate_noise, self.keys.residue_mask)
        try:
            loss = self._step(shaken, "train")[1]
        except Exception:
            self._look_at_losses()  # the weights may be no numbers since an earlier step
            raise
        where = f"in epoch {self.current_epoch}, step {self.global_step}"
        if self._losses.add(loss, batch.proteins, where):
            self._look_at_losses()
        return loss

    def _look_at_losses(self) -> None:
        if self._losses.steps:
            store = self.trainer.datamodule.store  # type: ignore[attr-defined]
            self._losses.look(store, f"multistage.stage{self.stage}.lr")

    def on_validation_start(self) -> None:
        """Stop before validation where the epoch has diverged."""
        self._look_at_losses()

    def validation_step(self, batch: ProteinBatch, batch_idx: int) -> None:
        """Losses of one batch; the score needs all of them."""
        prediction, _ = self._step(batch, "val")
        self._outputs.append((prediction.logits.float(), batch.labels))

    def on_validation_epoch_end(self) -> None:
        """Validation score over all proteins at once, and what the epoch's steps add up to."""
        logits, labels = self._all_outputs()
        if not torch.isfinite(logits).all():
            raise BioBlobsError(
                f"training diverged in epoch {self.current_epoch}; lower multistage.stage{self.stage}.lr"
            )
        truth = labels.numpy()
        if self.multilabel:
            score = fmax(truth, logits.sigmoid().numpy())
            predicted = (logits >= 0).numpy()  # of probability 1/2
        else:
            score = float((logits.argmax(-1) == labels).float().mean())
            predicted = logits.argmax(-1).numpy()
        macro = macro_scores(truth, predicted)
        values = {f"val_{name}": macro[name] for name in ("macro_recall", "macro_f1")}
        self.log_dict(values, sync_dist=self._several)
        self.log(self.score, score, prog_bar=True, sync_dist=self._several)
        self.log_dict(self._epoch_values(), sync_dist=self._several)
        self._so_far.clear()

    @property
    def _several(self) -> bool:
        return self.trainer.world_size > 1

    def _all_outputs(self) -> tuple[Tensor, Tensor]:
        """Logits (P, C) and labels of all validation proteins, each once, on the CPU of every process."""
        parts = [(logits.cpu(), labels.cpu()) for logits, labels in self._outputs]
        self._outputs.clear()
        if self._several:
            every: list[Any] = [None] * self.trainer.world_size
            dist.all_gather_object(every, parts)
            parts = [part for parts in every for part in parts]
        logits, labels = (torch.cat(column) for column in zip(*parts, strict=True))
        return logits, labels

    def _epoch_values(self) -> dict[str, Tensor | float]:
        """Everything but the score that is worth a curve."""
        values: dict[str, Tensor | float] = {"tau": self.model.partitioner.tau.clone()}
        for split in ("train", "val"):
            means = self._so_far.means(split)
            values |= {f"{split}_{name}": value for name, value in means.items()}
        if self.model.codebook is not None:
            values |= {"vq_share": self.vq_share, "codebook_frozen": float(self.model.codebook.frozen)}
        for split, own in self._so_far.code_counts.items():
            counts = sum_over_processes(own)
            values[f"{split}_perplexity"] = perplexity(counts)
            values[f"{split}_codes_used"] = (counts > 0).float().mean()
        return values

    def _step(self, batch: ProteinBatch, split: str) -> tuple[Prediction, Tensor]:
        prediction = self(batch)
        terms = loss_terms(
            prediction,
            batch.labels,
            self.weights,
            self.vq_share,
            self.size_prior,
            self.keys.label_smoothing,
            self._class_weights if split == "train" else None,
        )
        self._so_far.add(split, self._means(batch, prediction.blobs, terms))
        if prediction.codes is not None and self.model.codebook is not None:
            codes, real = prediction.codes.reshape(-1), prediction.blobs.mask.reshape(-1)
            self._so_far.count_codes(split, codes, real, self.model.codebook.size)
        return prediction, terms["loss"]

    def _means(
        self, batch: ProteinBatch, blobs: Blobs, terms: dict[str, Tensor]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Means of one batch that an epoch's curves are made of, and how many each is over.

        Every loss of a batch weighs by its proteins whose class training has, since others have no
        classification loss; by the same for all, so that their weighted sum holds for an epoch.
        """
        labels, real = batch.labels, blobs.mask.sum()
        proteins = real.new_full((), batch.num_proteins)
        known = proteins if self.multilabel else (labels >= 0).sum()
        residues = real.new_full((), len(blobs.assignment))
        count = real.clamp_min(1)
        made = {name: (value, known) for name, value in terms.items()} | {
            "blobs": (real / proteins, proteins),
            "blob_size": (blobs.size.sum() / count, real),
            "blob_expected_size": ((blobs.expected_size * blobs.mask).sum() / count, real),
            "blobs_at_cap": ((blobs.size >= self.model.partitioner.cluster_size_max).sum() / count, real),
            "coverage": ((blobs.assignment >= 0).float().mean(), residues),
        }
        if self.training:
            rate = self.trainer.optimizers[0].param_groups[-1]["lr"]
            made["lr"] = (torch.full_like(terms["loss"], rate), torch.ones_like(real))
        return made

    def configure_optimizers(self) -> Any:
        """Steps of ``train.optimizer``: a linear warm-up, then half a cosine to zero."""
        # Fused is one pass over all parameters; under autocast Lightning would refuse to clip its gradients.
        fused = self.trainer.precision == "32-true" or None
        optimizer = make_optimizer(self.model, self.keys, self.plan.lr, fused)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = min(int(steps * self.keys.warmup_epochs / self.plan.epochs), steps - 1)

        def share(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            progress = min((step - warmup) / max(steps - warmup, 1), 1.0)
            return 0.5 * (1 + math.cos(math.pi * progress))

        schedule = {"scheduler": LambdaLR(optimizer, share), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the card (see :mod:`bioblobs.checkpoints.file`), and what the epoch has added up so far.

        Raises:
            BioBlobsError: the training has diverged; nothing is saved then.
        """
        self._look_at_losses()
        checkpoint["epoch_so_far"] = self._so_far.state_dict()
        meta = self.trainer.datamodule.store.meta  # type: ignore[attr-defined]
        checkpoint["card"] = {
            "format": FORMAT,
            "stage": self.stage,
            "architecture": self.architecture,
            "recipe": self.recipe,
            "with_codebook": self.model.codebook is not None,
            **{key: meta[key] for key in ("task", "multilabel", "classes", "class_names", "split_column")},
            "data": meta["parameters"],
        }
        if self.model.encoder.embedding_dim:
            checkpoint["card"]["embedding_dim"] = self.model.encoder.embedding_dim

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the sums of an epoch that was interrupted."""
        if "epoch_so_far" in checkpoint:
            self._so_far.load_state_dict(checkpoint["epoch_so_far"], self.device)


def _lambdas(plan: Stage0Config | Stage1Config) -> dict[str, float]:
    """Loss weights of a stage: its keys ``lambda_*``, by what follows the underscore."""
    names = [item.name for item in fields(plan) if item.name.startswith("lambda_")]
    return {name.removeprefix("lambda_"): getattr(plan, name) for name in names}


def augmented(batch: ProteinBatch, coordinate_noise: float, residue_mask: float) -> ProteinBatch:
    """Shake coordinates and hide residue types, anew in every step; the batch itself if neither is asked for.

    Neighbours and edges stay those of the true structure: noise below an angstrom exchanges few of them. A
    blob that is read alone finds its own neighbours among the shaken coordinates.

    Args:
        coordinate_noise: standard deviation of Gaussian noise on each axis of each atom, angstrom.
        residue_mask: share of residues whose type becomes X (unknown).
    """
    if coordinate_noise:
        noise = coordinate_noise * torch.randn_like(batch.coordinates)
        batch = replace(batch, coordinates=batch.coordinates + noise)
    if residue_mask:
        types = batch.residue_types
        hidden = torch.rand(types.shape, device=types.device) < residue_mask
        batch = replace(batch, residue_types=types.masked_fill(hidden, UNKNOWN))
    return batch
