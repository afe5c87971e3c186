"""The sum that makes a prediction: base and contributions, for the explained class and the runner-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioblobs.errors import BioBlobsError
from bioblobs.inference.chain import Blob, Chain

SHOWN = 2
"""Classes whose sums stand side by side."""


def page_sum(record: Chain, base: Mapping[str, float] | None) -> list[dict[str, Any]] | None:
    """Class, base and logit of each sum shown: the explained class first, then the next by logit.

    Args:
        record: an explained chain.
        base: of the model, as ``explanation.base`` in interpretation/schema.json; None with an attention
            head, which has no sum.

    Raises:
        BioBlobsError: blobs have contributions but the model no base, or the other way round.
    """
    if any((blob.contributions is None) != (base is None) for blob in record.blobs):
        raise BioBlobsError(
            f"report: {record.id}: contributions and the model's base (explanation) come together or "
            "not at all; run interpret or predict again"
        )
    if base is None:
        return None
    others = sorted(record.logits, key=lambda name: -record.logits[name])
    shown = [record.explained, *(name for name in others if name != record.explained)][:SHOWN]
    return [{"class": name, "base": base[name], "logit": record.logits[name]} for name in shown]


def page_contributions(blob: Blob, shown: list[dict[str, Any]] | None) -> dict[str, list[float] | None]:
    """``contributions`` of a blob to the classes of :func:`page_sum`, in their order; None without a sum."""
    if shown is None or blob.contributions is None:
        return {"contributions": None}
    return {"contributions": [blob.contributions[each["class"]] for each in shown]}
