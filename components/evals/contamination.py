"""Problems of suites that training rows still meet after curation, and pass@1 without them.

Curation drops what says the same; what it was told to keep, or finds too unlike to drop, it writes down in the dataset's
``contaminated.json``. A dataset without that file was held against nothing.
"""

import json
from collections.abc import Collection, Iterable
from pathlib import Path

from r1flow.components.core.errors import DataError
from r1flow.components.evals.compare import problem_marks
from r1flow.components.evals.stats import Estimate, pass_at_1

FILE = "contaminated.json"


def met_problems(dataset: Path) -> dict[str, dict[str, str]]:
    """Suite to problem to the rule by which a kept row meets it, of suites where any is met. DataError for another form."""
    path = dataset / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); curate the dataset again") from error
    of_suites = list(found.values()) if isinstance(found, dict) else [None]
    if not all(isinstance(rules, dict) and all(isinstance(r, str) for r in rules.values()) for rules in of_suites):
        raise DataError(f"{path}: not an object from suite to problem to rule; curate the dataset again")
    return {suite: rules for suite, rules in found.items() if rules}


def met_by_any(datasets: Iterable[Path]) -> dict[str, set[str]]:
    """By suite the problems that a row of some dataset meets."""
    found: dict[str, set[str]] = {}
    for dataset in datasets:
        for suite, rules in met_problems(dataset).items():
            found.setdefault(suite, set()).update(rules)
    return found


def clean_pass_at_1(evaluation: Path, suite: str, met: Collection[str]) -> Estimate | None:
    """pass@1 on the problems that are not in ``met``; None where none is left."""
    marks = [correct for problem, correct in problem_marks(evaluation, suite).items() if problem not in met]
    return pass_at_1(marks) if marks else None
