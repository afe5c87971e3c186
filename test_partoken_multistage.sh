#!/usr/bin/env bash
# Quick validation: every stage on a small part of the sample, in under three minutes.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${VIRTUAL_ENV:-}" ] && [ -x .venv/bin/python ]; then
    PATH="$PWD/.venv/bin:$PATH"
fi
exec python run_partoken_multistage.py \
    data.subset=300 data.max_length=200 \
    multistage.stage0.epochs=2 multistage.stage1.epochs=2 multistage.stage1.loss_ramp.ramp_epochs=2 \
    model.codebook_size=64 evaluation.bootstrap=100 interpretability.deletion_repeats=2 "$@"
