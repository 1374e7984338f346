"""Shares per problem from an evaluation's answers."""

import pyarrow as pa
import pyarrow.parquet as pq

from r1flow.components.evals.compare import problem_means


def test_the_share_of_correct_samples_of_every_problem(tmp_path):
    verdicts = [("a", "CORRECT"), ("a", "WRONG"), ("b", "UNPARSEABLE"), ("b", None), ("a", "CORRECT"), ("a", "TIMEOUT")]
    table = {"problem_id": [p for p, _ in verdicts], "verdict": pa.array([v for _, v in verdicts], pa.string())}
    pq.write_table(pa.table(table), tmp_path / "sums.parquet")
    assert problem_means(tmp_path, "sums") == {"a": 0.5, "b": 0.0}
