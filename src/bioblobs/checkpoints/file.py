"""Checkpoint files: weights, and the card that describes them.

A checkpoint is a Lightning checkpoint with one more entry, ``card``: format, stage, the model keys,
the recipe, class identifiers and names, task and data parameters, all plain values. It loads with
``weights_only=True``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from bioblobs.checkpoints.build import build_model
from bioblobs.config.schema import ModelConfig
from bioblobs.errors import BioBlobsError
from bioblobs.io import whole_file
from bioblobs.models.bioblobs import BioBlobs

FORMAT = 4
PREFIX = "model."
"""Of the network's weights in the LightningModule's state."""
CARD = ("stage", "architecture", "with_codebook", "task", "multilabel", "classes", "class_names", "data")
"""Entries of a card that everything after training reads."""
LARGEST = 1_000_000
"""Bound of every number of an architecture; a card that claims more is damaged."""


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read the checkpoint at ``path``, on the CPU, once the sums of its archive are right.

    Raises:
        BioBlobsError: there is none, or it is damaged, not one of ours or of another format.
    """
    if not Path(path).is_file():
        raise BioBlobsError(
            f"{path}: no such checkpoint; run the stage that makes it, or name another (models/ has some)"
        )
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises a dozen kinds on bytes that are not its own
        raise BioBlobsError(f"{path}: not a readable checkpoint ({type(error).__name__})") from error
    card = content.get("card") if isinstance(content, dict) else None
    found = card.get("format") if isinstance(card, dict) else None
    if not isinstance(card, dict) or type(found) is not int:
        raise BioBlobsError(f"{path}: not a BioBlobs checkpoint (no card with a format in it)")
    if found != FORMAT:
        raise BioBlobsError(f"{path}: {_other_format(card, found)}")
    if missing := [name for name in CARD if name not in card]:
        raise BioBlobsError(f"{path}: damaged: its card has no {missing[0]}; train again, or copy it again")
    return content


def _check_archive(path: Path | str) -> None:
    """Compare every part of the file with its checksum, which torch.load leaves out."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # zipfile, too, raises a dozen kinds on damaged headers, OSError among them
        raise BioBlobsError(f"{path}: not a readable checkpoint ({type(error).__name__})") from error
    if damaged is not None:
        raise BioBlobsError(
            f"{path}: damaged: {damaged} is not what was written (its checksum differs); copy it again"
        )


def _other_format(card: Mapping[str, Any], found: int) -> str:
    """Advice for a checkpoint of another format."""
    made = card.get("made_with") or {}
    commit = (made.get("code") or {}).get("commit")
    other = f"git checkout {commit[:10]}" if commit else "another commit of this repository"
    says = f"a BioBlobs checkpoint of format {found}, this version reads {FORMAT}; "
    if found > FORMAT:
        return says + f"update this version, or use the one that made it ({other})"
    return says + f"train again, or use the version that made it ({other})"


def write_checkpoint(path: Path, model: BioBlobs, card: Mapping[str, Any]) -> None:
    """Write weights and card, whole or not at all."""
    state = {PREFIX + name: value for name, value in model.state_dict().items()}
    save_whole({"state_dict": state, "card": dict(card)}, path)


def save_whole(content: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint through a scratch file beside it, flushed to disk before it takes its name.

    Raises:
        BioBlobsError: it can't be written; what was at ``path`` is as it was.
    """
    try:
        with whole_file(path, sync=True) as scratch, scratch.open("wb") as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # torch's writer makes a RuntimeError of a full disk
        system = error if isinstance(error, OSError) else error.__context__
        cause = system.strerror if isinstance(system, OSError) else str(error).splitlines()[0]
        kept = "; the one before is whole" if path.exists() else ""
        raise BioBlobsError(
            f"{path}: checkpoint not written ({cause}){kept}; make room and run again"
        ) from error


def load_model(path: Path | str, classes: list[str] | None = None) -> tuple[BioBlobs, dict[str, Any]]:
    """Load the model of a checkpoint, in evaluation mode, and its card.

    Args:
        classes: those of the prepared data, which the model must have; None: any.

    Raises:
        BioBlobsError: see :func:`read_checkpoint` and :func:`check_classes`; weights that are not finite, or
            not those of the card.
    """
    content = read_checkpoint(path)
    card, weights = content["card"], network_weights(content)
    if classes is not None:
        check_classes(path, card, classes)
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise BioBlobsError(f"{path}: damaged: {name} is not finite; train again")
    sizes = [card["architecture"], card.get("embedding_dim", 0)]
    if too_large := [n for n in _numbers(sizes) if n > LARGEST]:
        raise BioBlobsError(f"{path}: damaged: its card claims a size of {too_large[0]}")
    if (layers := card["architecture"].get("num_layers", 0)) > len(weights):
        raise BioBlobsError(f"{path}: weights and card disagree ({layers} layers, {len(weights)} tensors)")
    try:
        with torch.device("meta"):  # no memory for what does not fit the weights
            model = _built(card)
        model.load_state_dict(weights, assign=True)
    except (TypeError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise BioBlobsError(f"{path}: weights and card disagree ({said[:200]})") from error
    return model.eval(), card


def _numbers(value: Any) -> Iterator[float]:
    """Every number in plain nested values."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


def untrained_model(card: Mapping[str, Any], seed: int) -> BioBlobs:
    """A model of a checkpoint's architecture with fresh weights; the global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _built(card).eval()


def _built(card: Mapping[str, Any]) -> BioBlobs:
    config = ModelConfig(**card["architecture"])
    width = card.get("embedding_dim", 0)
    return build_model(config, len(card["classes"]), card["with_codebook"], card["multilabel"], width)


def network_weights(content: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The network's own state of a checkpoint."""
    state = content["state_dict"]
    return {name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)}


def check_architecture(path: Path | str, card: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a checkpoint made with other model keys than ``wanted``.

    Raises:
        BioBlobsError: naming the first key that differs.
    """
    made, default = card["architecture"], vars(ModelConfig())
    for key in {**wanted, **made}:  # either may leave out a key at its default
        had, value = made.get(key, default.get(key)), wanted.get(key, default.get(key))
        if had != value:
            raise BioBlobsError(
                f"{path}: made with model.{key}={had}, but {value} is asked for; run the stage before again"
            )


def check_classes(path: Path | str, card: Mapping[str, Any], classes: list[str]) -> None:
    """Refuse a checkpoint whose classes are not those of the prepared data.

    Raises:
        BioBlobsError: naming both counts.
    """
    if card["classes"] != classes:
        raise BioBlobsError(
            f"{path}: trained on {len(card['classes'])} classes of {card['task']}, "
            f"but the prepared data have {len(classes)} (others, or in another order); train again"
        )
