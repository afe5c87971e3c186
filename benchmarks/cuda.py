"""Measurements of a training step on a CUDA device; does nothing where there is none.

Host synchronisations (an error if there is one), kernels launched a step, compiled against eager, fp32
against bf16, residues a second, and the share of the device's own matrix-product rate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.chains import compact_chain, sequence
from benchmarks.machine import record
from benchmarks.ours import OurImplementation

RESULTS = Path("benchmarks/results/cuda.json")
PROTEINS, LENGTH, NEIGHBOURS, CLASSES = 32, 300, 30, 7
SQUARE = 8192


def seconds(call: Callable[[], object], repeats: int = 20) -> float:
    """Mean duration on the device, warm."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def peak_flops(dtype: torch.dtype) -> float:
    """Rate of a large square product, FLOP/s."""
    a = torch.randn(SQUARE, SQUARE, device="cuda", dtype=dtype)
    return float(2 * SQUARE**3 / seconds(lambda: a @ a))


def steps() -> dict[str, Callable[[], None]]:
    """A training step of each kind on one batch."""
    code = OurImplementation()
    proteins = [
        code.stored(compact_chain(LENGTH, i % 4), sequence(LENGTH, i), NEIGHBOURS) for i in range(PROTEINS)
    ]
    batch = code.batch(proteins).to("cuda")
    labels = torch.arange(PROTEINS, device="cuda") % CLASSES
    made: dict[str, Callable[[], None]] = {}
    for name in ("fp32", "bf16", "bf16, encoder compiled"):
        torch.manual_seed(0)
        model = code.model((100, 16), (32, 1), 3, CLASSES, 5, 512).cuda().train()
        if "compiled" in name:
            model.encoder.compile()

        def step(model: Any = model, narrow: bool = "bf16" in name) -> None:
            model.zero_grad()
            with torch.autocast("cuda", torch.bfloat16, enabled=narrow):
                loss = code.loss(model, batch, labels)
            loss.backward()

        made[name] = step
    return made


def launches(step: Callable[[], None]) -> int:
    """Kernels started by one step."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        step()
        torch.cuda.synchronize()
    return sum(event.count for event in found.key_averages() if "LaunchKernel" in event.key)


def synchronises(step: Callable[[], None]) -> str | None:
    """The first operation that makes the host wait, or None."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return None


def main() -> None:
    """Command line."""
    if not torch.cuda.is_available():
        print("no CUDA device: nothing measured")
        return
    result: dict[str, Any] = {"machine": record(), "residues": PROTEINS * LENGTH}
    for name, step in steps().items():
        taken = seconds(step)
        counter = FlopCounterMode(display=False)
        with counter:
            step()
        peak = peak_flops(torch.bfloat16 if "bf16" in name else torch.float32)
        result[name] = {
            "step_s": taken,
            "residues_per_s": PROTEINS * LENGTH / taken,
            "share_of_matrix_peak": counter.get_total_flops() / taken / peak,
            "kernels": launches(step),
            "synchronises": synchronises(step),
            "peak_mib": torch.cuda.max_memory_allocated() / 2**20,
        }
        print(name, result[name])
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
