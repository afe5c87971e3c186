"""Search by Optuna, each trial a DVC experiment: python -m bioblobs.search --trials 20 [key=value ...]

The study is an SQLite file: the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioblobs.errors import BioBlobsError, one_line_errors
from bioblobs.search.space import Dimension, read_space
from bioblobs.search.trials import SCORE, experiments, run_trial

if TYPE_CHECKING:
    from optuna.study import Study

FOLDER = Path("outputs/search")
Evaluate = Callable[[str, Sequence[str], Path], float]


def open_study(name: str, seed: int, taken: set[str]) -> Study:
    """The study ``name``, new or as it was left.

    Raises:
        BioBlobsError: Optuna is missing, a new study would meet experiments of an earlier one, or an old one
            had another objective.
    """
    try:
        import optuna
    except ImportError as error:
        raise BioBlobsError(
            "the search needs Optuna: pip install the version that requirements-dev.txt names"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    FOLDER.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{FOLDER / name}.db", study_name=name, direction="maximize", load_if_exists=True
    )
    done = len(study.trials)
    if done and study.user_attrs.get("objective") != SCORE:
        raise BioBlobsError(f"study {name}: its trials were not scored by {SCORE}; choose another --study")
    study.set_user_attr("objective", SCORE)
    clash = sorted(each for each in taken if each.startswith(f"{name}-"))
    if not done and clash:
        raise BioBlobsError(
            f"{clash[0]}: an experiment of an earlier search {name}; "
            "choose another --study, or remove it (dvc exp remove)"
        )
    study.sampler = optuna.samplers.TPESampler(seed=seed + done)  # so that a second call proposes anew
    return study


def search(
    study: Study, space: list[Dimension], fixed: Sequence[str], trials: int, evaluate: Evaluate = run_trial
) -> None:
    """Go on until the study has ``trials`` trials; one that fails is recorded as failed."""
    from optuna.trial import TrialState

    while len(study.trials) < trials:
        trial = study.ask()
        name = f"{study.study_name}-{trial.number:03d}"
        overrides = [*fixed, *(f"{each.key}={each.suggest(trial)}" for each in space)]
        trial.set_user_attr("experiment", name)
        trial.set_user_attr("overrides", overrides)
        print(f"{name}: {' '.join(overrides)}", flush=True)
        try:
            value = evaluate(name, overrides, FOLDER / study.study_name / f"{name}.log")
        except BioBlobsError as error:
            study.tell(trial, state=TrialState.FAIL)
            print(f"  {error}", flush=True)
        except BaseException:  # stopped by hand: not left as running
            study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            study.tell(trial, value)
            print(f"  {SCORE} {value:.4f}", flush=True)


def report(study: Study) -> str:
    """All trials, best first, and how to take the best one.

    Raises:
        BioBlobsError: no trial came to an end.
    """
    from optuna.trial import TrialState

    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    if not done:
        raise BioBlobsError(f"no trial of {study.study_name} came to an end; {FOLDER} has their logs")
    rest = [trial for trial in study.trials if trial.state != TrialState.COMPLETE]
    rows = [f"{SCORE}  experiment  what it changed"]
    for trial in [*sorted(done, key=lambda each: -float(each.value or 0)), *rest]:
        shown = f"{trial.value:.4f}" if trial in done else trial.state.name.lower()
        name, changed = trial.user_attrs["experiment"], shlex.join(trial.user_attrs["overrides"])
        rows.append(f"{shown:>{len(SCORE)}}  {name}  {changed}")
    best = study.best_trial.user_attrs["experiment"]
    return "\n".join([*rows, f"take the best: dvc exp apply {best} && dvc repro"])


def main(args: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bioblobs.search", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--trials", type=int, default=20, help="trials that the study shall have in the end")
    parser.add_argument("--space", type=Path, default=Path("search.yaml"), help="keys, and what each may be")
    parser.add_argument("--study", default="search", help="name of the study, and of its experiments")
    parser.add_argument("--seed", type=int, default=0, help="of the proposals")
    parser.add_argument("fixed", nargs="*", metavar="key=value", help="overrides of every trial")
    asked = parser.parse_args(args)
    with one_line_errors():
        if not asked.study.replace("-", "").replace("_", "").isalnum():
            raise BioBlobsError(f"--study {asked.study}: letters, digits, - and _ only")
        space = read_space(asked.space, asked.fixed)
        study = open_study(asked.study, asked.seed, experiments())
        try:
            search(study, space, asked.fixed, asked.trials)
        except KeyboardInterrupt:
            sys.exit(f"stopped; the same command goes on: {len(study.trials)} of {asked.trials} trials")
        print(report(study))


if __name__ == "__main__":
    main()
