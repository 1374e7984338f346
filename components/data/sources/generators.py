"""Problems that are made, not read: the tasks of reasoning-gym, made by an interpreter of their own."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import r1flow
from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.data.sources.records import Record, Records
from r1flow.components.recipe.data import SourceConfig

GYM = "reasoning-gym/"
TINY = "tiny/"
ENGLISH = "english/"
PACKAGE = "reasoning-gym"
ROOT = Path(r1flow.__file__).parents[1]
ERRORS = {error.__name__: error for error in (ConfigError, DataError)}


def generator_version(source: SourceConfig) -> str:
    """What, beside its settings and the seed, decides what a generator makes; it enters the fingerprint of curation."""
    generator = source.generator or ""
    if not generator.startswith(GYM):
        return "builtin"
    try:
        return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"
    except importlib.metadata.PackageNotFoundError:
        fix = "install it with pip install -c constraints.txt 'r1flow[procedural]'"
        raise ConfigError(f"generator {generator!r} needs reasoning-gym, which is not installed; {fix}") from None


def read_gym(source: SourceConfig, seed: int, setting: str) -> Records:
    """``size`` problems of a task, the same in every process; a record's ``verifier_args`` say how to make it again.

    Raises ConfigError for an unknown task, settings that the task refuses, a task that stores no answer, and one that has
    a judge of its own where the recipe names no verifier: comparing with the one answer that is stored would call other
    right answers wrong. Raises DataError where the task fails.
    """
    version = generator_version(source)
    task = (source.generator or "").removeprefix(GYM)
    config = source.config if isinstance(source.config, dict) else {}
    made_by = {"task": task, "config": config, "seed": seed}
    order = {**made_by, "size": source.size, "setting": setting, "judged": source.verifier is not None}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "r1flow.components.data.sources.gym", json.dumps(order)],
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        try:
            for index, line in enumerate(child.stdout):
                entry: dict[str, Any] = json.loads(line)
                if "end" in entry:
                    return
                if "error" in entry:
                    raise ERRORS[entry["error"]](entry["message"])
                arguments = {**made_by, "version": version, "index": index}
                columns = {"prompt": entry["question"], "answer": entry["answer"], "verifier_args": arguments}
                yield Record(index + 1, columns)
        finally:
            child.kill()
    raise DataError(f"{setting}: reasoning-gym's {task!r} ended before its last problem (exit {child.returncode})")
