"""Time and peak memory of one implementation on one input, in this process: one JSON line.

Run by :mod:`benchmarks.speed`, a fresh process each time, so that no measurement finds the memory of another.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.chains import compact_chain, sequence
from benchmarks.ours import OurImplementation
from benchmarks.public import PublicImplementation
from bioblobs.inference.process import begin

CLASSES, LAYERS, EDGE_WIDTHS = 7, 3, (32, 1)
DISTINCT = 4
"""Chains made for a case; more proteins repeat them."""
EAGER_BLOBS = -3.0
"""Bias of both threshold heads, so that untrained blobs grow to their cap and cost what trained ones do."""


def seconds(call: Callable[[], object], repeats: int) -> list[float]:
    """Durations of repeated calls, after one that is not counted."""
    call()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Medians in seconds of each part, minima beside them, and peak memory after the training steps."""
    if args.no_compiler:
        os.environ["CXX"] = "no-compiler"  # looked for at the first message
    if args.checkout is None:
        begin(args.threads)  # with what this repository sets for itself; the public code sets nothing
        code: Any = OurImplementation()
        featurise: Callable[..., object] = code.stored
    else:
        torch.set_num_threads(args.threads)
        code = PublicImplementation(args.checkout)
        featurise = code.graph
    chains = [compact_chain(args.length, seed) for seed in range(min(DISTINCT, args.proteins))]
    chains = [chains[i % len(chains)] for i in range(args.proteins)]
    letters = [sequence(args.length, seed) for seed in range(args.proteins)]
    graphs = [featurise(c, s, args.k) for c, s in zip(chains, letters, strict=True)]
    batch, labels = code.batch(graphs), torch.arange(args.proteins) % CLASSES
    torch.manual_seed(0)
    model = code.model(
        (args.width[0], args.width[1]), EDGE_WIDTHS, LAYERS, CLASSES, args.blobs, args.codes
    ).train()
    _grow_blobs(model)
    if args.recompute:
        model.encoder.keep_activations(False)

    def precision() -> AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16, enabled=args.bf16)

    def step() -> None:
        model.zero_grad()
        with precision():
            loss = code.loss(model, batch, labels)
        loss.backward()

    def encode() -> None:
        model.zero_grad()
        with precision():
            out = code.encode(model, batch)
        out.sum().backward()

    x = torch.randn(args.proteins * args.length, args.width[0], requires_grad=True)

    def partition() -> Tensor:
        blobs, chosen = code.partition(model, x, batch)
        blobs.sum().backward()
        return chosen

    def predict() -> None:
        with precision():
            code.predict(model, batch)

    before = peak_mib()
    times = {"step": seconds(step, args.repeats)}
    peak = peak_mib()
    if not args.step_only:
        times["encoder"] = seconds(encode, args.repeats)
        times["partitioner"] = seconds(partition, 3 * args.repeats)
        times["inference"] = seconds(predict, args.repeats)
        if args.checkout is None:
            times["graphs"] = seconds(lambda: code.featurise(code.batch(graphs)), 3 * args.repeats)
        else:
            pairs = list(zip(chains, letters, strict=True))
            times["graphs"] = seconds(
                lambda: code.batch([code.graph(c, s, args.k) for c, s in pairs]), 3 * args.repeats
            )
    return {
        "median_s": {name: statistics.median(found) for name, found in times.items()},
        "least_s": {name: min(found) for name, found in times.items()},
        "peak_mib": peak,
        "before_mib": before,
        "mean_blob": float(partition().sum() / (args.proteins * args.blobs)),
    }


def _grow_blobs(model: Any) -> None:
    partitioner = model.partitioner
    head = (
        partitioner.threshold
        if hasattr(partitioner, "threshold")
        else partitioner.expander.threshold_head.mlp
    )
    torch.nn.init.constant_(head[-1].bias, EAGER_BLOBS)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, help="of the public implementation; without: ours")
    parser.add_argument("--proteins", type=int, default=8)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--k", type=int, default=30)
    parser.add_argument("--blobs", type=int, default=5)
    parser.add_argument("--codes", type=int, default=512)
    parser.add_argument("--width", type=int, nargs=2, default=[100, 16])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--no-compiler", action="store_true", help="messages in torch's operations")
    parser.add_argument("--step-only", action="store_true")
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
