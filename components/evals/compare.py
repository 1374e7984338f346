"""What an evaluation's answers say, problem by problem."""

from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq

from r1flow.components.core.errors import DataError
from r1flow.components.core.verdict import Verdict


def problem_marks(evaluation: Path, suite: str) -> dict[str, list[bool]]:
    """By problem whether each sample is correct. DataError for a suite that the evaluation artifact has no answers of."""
    if not (evaluation / f"{suite}.parquet").is_file():
        raise DataError(f"gate.suite: {evaluation} has no answers of suite {suite!r}; evaluate the model on it first")
    table = pq.read_table(evaluation / f"{suite}.parquet", columns=["problem_id", "verdict"])
    marks: dict[str, list[bool]] = defaultdict(list)
    for problem, verdict in zip(table["problem_id"].to_pylist(), table["verdict"].to_pylist(), strict=True):
        marks[problem].append(verdict == Verdict.CORRECT)
    return marks


def problem_means(evaluation: Path, suite: str) -> dict[str, float]:
    """Share of correct samples per problem; DataError as above."""
    return {problem: sum(values) / len(values) for problem, values in problem_marks(evaluation, suite).items()}
