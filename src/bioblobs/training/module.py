"""One training stage as a LightningModule."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from lightning import LightningModule
from torch import Tensor
from torch import distributed as dist
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from bioblobs.checkpoints.build import architecture, build_model
from bioblobs.checkpoints.file import FORMAT
from bioblobs.config.schema import ModelConfig
from bioblobs.errors import BioBlobsError
from bioblobs.evaluation.scores import fmax, macro_scores
from bioblobs.graphs.protein_batch import ProteinBatch
from bioblobs.models.bioblobs import Prediction
from bioblobs.models.codebook import perplexity
from bioblobs.models.processes import sum_over_processes
from bioblobs.training.epoch_sums import EpochSums
from bioblobs.training.losses import LossWeights, loss_terms, ramp, temperature


class BlobModule(LightningModule):
    """Losses, schedules and validation scores of stage 0 (no codebook) or stage 1.

    Args:
        stage: 0 or 1.
        num_classes: classes of the data set.
        multilabel: whether a protein may have several.
        epochs: of this stage.
        first_epoch: epochs trained before this stage; the temperature goes on from there.
        lr: peak learning rate.
        weight_decay: of AdamW, on matrices only.
        warmup_epochs: linear warm-up, then cosine to zero.
        label_smoothing: of the cross-entropy.
        class_weights: none or balanced (see the schema).
        seed: of what is drawn in a step.
        recompute: make activations of the encoder again in the backward pass.
        lambda_card: weight of the cardinality loss.
        lambda_vq: weight of the commitment loss.
        lambda_psc: weight of the coverage loss.
        lambda_ent: weight of the usage entropy loss.
        ramp_enabled: whether the VQ weights rise over the first epochs.
        ramp_epochs: epochs until they are full.
        freeze_epochs: last epochs in which the codebook stands still.
        bypass_codebook: there is none.
    """

    def __init__(
        self,
        stage: int = 0,
        num_classes: int = 2,
        multilabel: bool = False,
        epochs: int = 20,
        first_epoch: int = 0,
        lr: float = 1e-4,
        weight_decay: float = 0.01,
        warmup_epochs: float = 1.0,
        label_smoothing: float = 0.1,
        class_weights: Literal["none", "balanced"] = "none",
        seed: int = 0,
        recompute: bool = False,
        lambda_card: float = 0.0,
        lambda_vq: float = 0.0,
        lambda_psc: float = 0.0,
        lambda_ent: float = 0.0,
        ramp_enabled: bool = False,
        ramp_epochs: int = 1,
        freeze_epochs: int = 0,
        bypass_codebook: bool = False,
        **model: Any,
    ) -> None:
        super().__init__()
        config = ModelConfig(**model)
        self.stage, self.multilabel, self.seed = stage, multilabel, seed
        self.epochs, self.first_epoch = epochs, first_epoch
        self.lr, self.weight_decay, self.warmup_epochs = lr, weight_decay, warmup_epochs
        self.label_smoothing, self.freeze_epochs = label_smoothing, freeze_epochs
        self.ramp_enabled, self.ramp_epochs = ramp_enabled, ramp_epochs
        self.size_prior = config.cluster_size_prior
        self.tau = (config.tau_init, config.tau_min, config.tau_decay)
        self.architecture = architecture(config, with_codebook=not bypass_codebook)
        self.weights = LossWeights(card=lambda_card)
        if not bypass_codebook:
            self.weights = LossWeights(
                lambda_card, lambda_vq, lambda_psc, lambda_ent, config.codebook_beta, config.psc_temp
            )
        self.class_weights = class_weights
        self._class_weights: Tensor | None = None
        self.model = build_model(config, num_classes, not bypass_codebook, multilabel)
        for part in (self.model.encoder, self.model.blob_encoder):
            if part is not None:
                part.keep_activations(not recompute)
        self.score = "val_fmax" if multilabel else "val_acc"
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._so_far = EpochSums()

    def parameter_summary(self) -> str:
        """Number of parameters, in all and a part."""
        parts = {
            name: sum(p.numel() for p in part.parameters()) for name, part in self.model.named_children()
        }
        counts = ", ".join(f"{name} {count:,}" for name, count in parts.items() if count)
        return f"{sum(parts.values()):,} parameters ({counts})"

    def forward(self, batch: ProteinBatch) -> Prediction:
        """See :class:`~bioblobs.models.bioblobs.BioBlobs`."""
        prediction: Prediction = self.model(batch)
        return prediction

    @property
    def vq_share(self) -> float:
        """Share of the full VQ weights in this epoch."""
        return ramp(self.current_epoch, self.ramp_enabled, self.ramp_epochs)

    def on_fit_start(self) -> None:
        """Weigh the classes by the training proteins, where that is asked for."""
        if self.class_weights == "balanced" and not self.multilabel:
            weights = self.trainer.datamodule.balanced_weights()  # type: ignore[attr-defined]
            self._class_weights = torch.tensor(weights, dtype=torch.float32, device=self.device)

    def on_train_start(self) -> None:
        """An epoch that goes on after an interruption has no start of its own."""
        self._follow_epoch()

    def on_train_epoch_start(self) -> None:
        """See :meth:`_follow_epoch`."""
        self._follow_epoch()

    def _follow_epoch(self) -> None:
        """Set what follows the epoch: temperature and frozen codebook."""
        self.model.partitioner.tau.fill_(temperature(self.first_epoch + self.current_epoch, *self.tau))
        if self.model.codebook is not None:
            self.model.codebook.frozen = self.current_epoch >= self.epochs - self.freeze_epochs

    def on_train_batch_start(self, batch: ProteinBatch, batch_idx: int) -> None:
        """Draw from (seed, step, process), so that a resumed run draws what an uninterrupted one would."""
        torch.manual_seed((self.seed * 1_000_003 + self.global_step) * 1_009 + self.global_rank)

    def training_step(self, batch: ProteinBatch, batch_idx: int) -> Tensor:
        """Weighted loss of one batch."""
        return self._step(batch, "train")[1]

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
            self.label_smoothing,
            self._class_weights if split == "train" else None,
        )
        blobs = prediction.blobs
        count = blobs.mask.sum().clamp_min(1)
        full = blobs.size >= self.model.partitioner.cluster_size_max
        values = {
            **terms,
            "blobs": blobs.mask.float().sum(1).mean(),
            "blob_size": blobs.size.sum() / count,
            "blob_expected_size": (blobs.expected_size * blobs.mask).sum() / count,
            "blobs_at_cap": full.sum() / count,
            "coverage": (blobs.assignment >= 0).float().mean(),
        }
        if split == "train":
            values["lr"] = torch.tensor(self.trainer.optimizers[0].param_groups[0]["lr"], device=count.device)
        self._so_far.add(split, values, batch.num_proteins)
        if prediction.codes is not None and self.model.codebook is not None:
            codes, real = prediction.codes.reshape(-1), blobs.mask.reshape(-1)
            self._so_far.count_codes(split, codes, real, self.model.codebook.size)
        return prediction, terms["loss"]

    def configure_optimizers(self) -> Any:
        """AdamW; each step a linear warm-up, then half a cosine to zero."""
        matrices = [p for p in self.parameters() if p.requires_grad and p.dim() > 1]
        others = [p for p in self.parameters() if p.requires_grad and p.dim() <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        # Fused is one pass over all parameters; under autocast Lightning would refuse to clip its gradients.
        optimizer = AdamW(groups, lr=self.lr, fused=self.trainer.precision == "32-true" or None)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = min(int(steps * self.warmup_epochs / self.epochs), steps - 1)

        def share(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            progress = min((step - warmup) / max(steps - warmup, 1), 1.0)
            return 0.5 * (1 + math.cos(math.pi * progress))

        schedule = {"scheduler": LambdaLR(optimizer, share), "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the card (see :mod:`bioblobs.checkpoints.file`), and what the epoch has added up so far."""
        checkpoint["epoch_so_far"] = self._so_far.state_dict()
        meta = self.trainer.datamodule.store.meta  # type: ignore[attr-defined]
        checkpoint["card"] = {
            "format": FORMAT,
            "stage": self.stage,
            "architecture": self.architecture,
            "with_codebook": self.model.codebook is not None,
            **{key: meta[key] for key in ("task", "multilabel", "classes", "class_names", "split_column")},
            "data": meta["parameters"],
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the sums of an epoch that was interrupted."""
        if "epoch_so_far" in checkpoint:
            self._so_far.load_state_dict(checkpoint["epoch_so_far"], self.device)
