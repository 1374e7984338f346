"""Problems that are made, not read: the tasks of reasoning-gym, and the tiny world's."""

import difflib
import importlib.metadata
from typing import Any

from components.config.data import SourceConfig
from components.data.sources.records import Record, Records
from components.errors import ConfigError

GYM = "reasoning-gym/"
TINY = "tiny/"
PACKAGE = "reasoning-gym"


def generator_version(source: SourceConfig) -> str:
    """What, beside its settings and the seed, decides what a generator makes; it enters the fingerprint of curation."""
    return _gym_version(source.generator or "") if (source.generator or "").startswith(GYM) else "builtin"


def read_gym(source: SourceConfig, seed: int, setting: str) -> Records:
    """``size`` problems of a task; a record's ``verifier_args`` say how to make this very problem again.

    Raises ConfigError for an unknown task, settings that the task refuses, and a task that has a judge of its own where
    the recipe names no verifier: comparing with the one answer that is stored would call other right answers wrong.
    """
    task = (source.generator or "").removeprefix(GYM)
    config = source.config if isinstance(source.config, dict) else {}
    version = generator_version(source)
    dataset = _dataset(task, config, source.size or 0, seed, setting)
    if source.verifier is None and _own_judge(dataset):
        raise ConfigError(
            f"{setting}.verifier: reasoning-gym's {task!r} judges answers by a rule of its own; "
            "say verifier = 'exact' or 'math' where its stored answer is the only right one"
        )
    return _records(dataset, {"task": task, "config": config, "seed": seed, "version": version})


def _records(dataset: Any, made_by: dict[str, Any]) -> Records:
    for index in range(len(dataset)):
        entry = dataset[index]
        arguments = {**made_by, "index": index}
        yield Record(index + 1, {"prompt": entry["question"], "answer": entry["answer"], "verifier_args": arguments})


def _dataset(task: str, config: dict[str, Any], size: int, seed: int, setting: str) -> Any:
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if task not in DATASETS:
        close = difflib.get_close_matches(task, DATASETS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(DATASETS))}"
        raise ConfigError(f"{setting}.generator: reasoning-gym has no task {task!r}; {hint}")
    try:
        return reasoning_gym.create_dataset(task, seed=seed, size=size, **config)
    except (AssertionError, TypeError, ValueError) as error:  # what its configurations raise
        raise ConfigError(f"{setting}.config: reasoning-gym's {task!r} refuses these settings: {error}") from error


def _own_judge(dataset: Any) -> bool:
    from reasoning_gym.dataset import ProceduralDataset

    return type(dataset).score_answer is not ProceduralDataset.score_answer


def _gym_version(generator: str) -> str:
    try:
        return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
    except importlib.metadata.PackageNotFoundError:
        mend = "install it with pip install -c constraints.txt 'r1flow[procedural]'"
        raise ConfigError(f"generator {generator!r} needs reasoning-gym, which is not installed; {mend}") from None
