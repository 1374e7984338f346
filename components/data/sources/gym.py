"""The tasks of reasoning-gym, in an interpreter of their own: ``python -m r1flow.components.data.sources.gym ORDER``.

Some tasks walk through sets of texts, or draw from the interpreter's own generators: their problems depend on the hash seed
of the process and on whatever else it has drawn. Here both are fixed. Problems go to standard output as JSON lines; what a
task itself prints goes to standard error.
"""

import difflib
import json
import os
import random
import signal
import sys
from typing import Any

import numpy as np

from r1flow.components.core.errors import ConfigError, DataError, UserError
from r1flow.components.core.seeds import derive_seed

PROBLEM_S = 120
"""Seconds that one problem may take; then the process ends, which its reader says."""


def main() -> None:
    """Write the problems of the order, then ``{"end": number}``; or ``{"error": class, "message": text}``."""
    order = json.loads(sys.argv[1])
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        try:
            dataset = make_dataset(**order)
            for index in range(len(dataset)):
                entry = _problem(dataset, index, **order)
                out.write(json.dumps({"question": entry["question"], "answer": entry["answer"]}, default=str) + "\n")
            out.write(json.dumps({"end": len(dataset)}) + "\n")
        except UserError as error:
            out.write(json.dumps({"error": type(error).__name__, "message": str(error)}) + "\n")


def make_dataset(*, task: str, config: dict[str, Any], size: int, seed: int, setting: str, judged: bool) -> Any:
    """The task with its settings. ConfigError for an unknown task, settings that it refuses, or a judge of its own.

    ``judged``: the recipe itself says what compares answers with the stored one.
    """
    import reasoning_gym
    from reasoning_gym.dataset import ProceduralDataset
    from reasoning_gym.factory import DATASETS

    if task not in DATASETS:
        close = difflib.get_close_matches(task, DATASETS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(DATASETS))}"
        raise ConfigError(f"{setting}.generator: reasoning-gym has no task {task!r}; {hint}")
    _fix(seed, task, -1)
    try:
        dataset = reasoning_gym.create_dataset(task, seed=seed, size=size, **config)
    except (AssertionError, TypeError, ValueError) as error:  # what its configurations raise
        raise ConfigError(f"{setting}.config: reasoning-gym's {task!r} refuses these settings: {error}") from error
    if not judged and type(dataset).score_answer is not ProceduralDataset.score_answer:
        raise ConfigError(
            f"{setting}.verifier: reasoning-gym's {task!r} judges answers by a rule of its own; "
            "say verifier = 'exact' or 'math' where its stored answer is the only right one"
        )
    return dataset


def _problem(dataset: Any, index: int, *, task: str, seed: int, setting: str, **_: Any) -> dict[str, Any]:
    _fix(seed, task, index)
    signal.alarm(PROBLEM_S)  # some settings send a task round in circles
    try:
        entry: dict[str, Any] = dataset[index]
    except Exception as error:  # a defect of the task, which may be of any kind
        fix = "change its config or its seed"
        raise DataError(f"{setting}: reasoning-gym's {task!r} fails at problem {index} ({error!r}); {fix}") from error
    finally:
        signal.alarm(0)
    if entry["answer"] is None:
        raise ConfigError(
            f"{setting}.generator: reasoning-gym's {task!r} stores no answer; only its own judge could tell"
        )
    return entry


def _fix(seed: int, task: str, index: int) -> None:
    """Both generators of the interpreter, for one problem."""
    drawn = derive_seed(seed, task, index)
    random.seed(drawn)
    np.random.seed(drawn % 2**32)


if __name__ == "__main__":
    main()
