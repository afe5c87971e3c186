"""Settings of the process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

import bioblobs
from bioblobs.inference import process
from bioblobs.inference.process import BF16_PAYS_FROM, bf16_note, slow_note


@pytest.mark.parametrize(
    ("able", "precision", "device", "width", "said"),
    [
        ({"avx512_bf16": True}, "bf16-mixed", "cpu", BF16_PAYS_FROM, None),
        ({"avx512_bf16": True}, "bf16-mixed", "cpu", BF16_PAYS_FROM - 1, "gains nothing"),
        ({"avx512_f": True}, "bf16-mixed", "cpu", 256, "no bf16 arithmetic"),
        ({"avx512_f": True}, "bf16-mixed", "cuda", 16, None),
        ({"avx512_f": True}, "32-true", "cpu", 16, None),
    ],
)
def test_bf16_that_is_for_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], precision: str, device: str, width: int, said: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    note = bf16_note(precision, device, width)
    assert note is None if said is None else said in str(note)


def test_a_processor_without_the_compiled_message_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "reason", lambda: "there is no C++ compiler (c++)")
    assert "no C++ compiler" in str(slow_note("cpu")) and slow_note("cuda") is None
    monkeypatch.setattr(process, "reason", lambda: None)
    assert slow_note("cpu") is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, bioblobs.SPINS),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "passive"}, None),
    ],
    ids=["nothing", "a count", "a policy"],
)
def test_waiting_threads_sleep_soon_unless_the_user_says_otherwise(
    given: dict[str, str], expected: str | None
) -> None:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    others = {name: value for name, value in os.environ.items() if name not in names}
    # libgomp reads it when torch is imported: the package must be there first, and must not bring torch.
    code = "import bioblobs, os, sys; print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], env=others | given, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [str(expected), "False"]
