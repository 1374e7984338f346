"""Published figures: each with its source, on suites that there are, beside a run's where the names agree."""

import json
from pathlib import Path

from r1flow.components.evals.report.page import write_report
from r1flow.components.evals.report.references import _read, published
from r1flow.components.recipe.suites import suite_names


def test_every_model_has_a_source_and_figures_on_suites_that_are_shipped() -> None:
    data = _read()
    for model in data["models"]:
        assert model["source"] in data["sources"]
        assert set(model["pass_at_1"]) | set(model.get("cons_at_64", {})) <= set(suite_names())
        assert all(0 < value < 100 for value in model["pass_at_1"].values())


def test_the_papers_figures_are_the_papers() -> None:
    aime = {one.model: (one.pass_at_1, one.cons_at_64) for one in published("aime24")}
    assert aime["DeepSeek-R1"] == (79.8, None)
    assert aime["DeepSeek-R1-Zero (first version)"] == (71.0, 86.7)
    assert aime["R1-Distill-Qwen-32B"] == (72.6, 83.3)
    assert aime["R1-Zero-Qwen-32B (RL alone)"] == (47.0, 60.0)
    assert next(iter(aime)) == "DeepSeek-R1"
    assert published("sums") == []


def test_they_stand_under_the_suite_of_their_name(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    figures = {"math500/pass_at_1": 0.5, "math500/problems": 500.0, "sums/pass_at_1": 0.9}
    (tmp_path / "r1" / "metrics.json").write_text(json.dumps(figures))
    for suite in ("math500", "sums"):
        _answers(tmp_path / "r1" / f"{suite}.parquet")
    write_report({"evaluate/r1": tmp_path / "r1"}, {}, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("Published on") == 1
    assert "OpenAI-o1-1217" in page
    assert "arXiv 2501.12948 v1, table 4" in page


def _answers(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"problem_id": ["1"], "level": pa.array([None], pa.int32()), "verdict": ["CORRECT"]}), path)
