"""The stage table has one row per measured model, in the recipe's order, and formats figures alike."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.evals.report.names import Names, names_of
from r1flow.components.evals.report.stages import headline, level_rows, stage_rows, suites_of
from r1flow.components.recipe.presets import load_recipe

TINY = load_recipe("tiny")
GRAPH = TINY.graph
NAMES = Names(
    {name: TINY.title(name) for name in GRAPH.nodes},
    tuple(GRAPH.main_line()),
    {name: GRAPH.root(name) for name in GRAPH.models()},
)
IN_ORDER = ["base", "r1_zero", "dev1", "dev2", "dev3", "r1", "student", "distilled", "student_rl"]

FULL = {
    "sums/pass_at_1": 0.3124,
    "sums/pass_at_1_low": 0.2801,
    "sums/pass_at_1_high": 0.3447,
    "sums/cons_at_16": 0.66,
    "sums/format": 1.0,
    "sums/language": 0.584,
    "sums/length": 15.62,
}


def test_figures_are_formatted_for_alignment():
    assert stage_rows({"base": FULL}, ["sums"], NAMES) == [
        {
            "stage": "Base",
            "sums pass@1": "0.312",
            "sums 95 % interval": "0.280 to 0.345",
            "sums cons@16": "0.660",
            "sums format": "1.000",
            "sums language": "0.584",
            "sums tokens": "15.6",
        }
    ]


def test_rows_follow_the_recipe_and_students_come_last():
    models = ["student_rl", "r1", "other", "dev3", "base", "distilled", "dev1", "r1_zero", "student", "dev2"]
    names = [row["stage"] for row in stage_rows({model: FULL for model in models}, ["sums"], NAMES)]
    assert names == [
        "Base", "R1-Zero", "Dev1 (cold start)", "Dev2 (reasoning RL)", "Dev3 (SFT of the base)", "R1",
        "Student base", "Student (distilled)", "Student (RL only)", "other",
    ]  # fmt: skip


def test_what_was_not_measured_is_empty_but_keeps_its_column():
    first, second = stage_rows({"base": FULL, "r1": {"sums/pass_at_1": 1.0}}, ["sums"], NAMES)
    assert list(first) == list(second)
    assert (second["sums pass@1"], second["sums cons@16"], second["sums 95 % interval"]) == ("1.000", "", "")


def test_an_interval_of_a_share_stays_between_0_and_1():
    wide = FULL | {"sums/pass_at_1_low": -0.02, "sums/pass_at_1_high": 1.018}
    assert stage_rows({"r1": wide}, ["sums"], NAMES)[0]["sums 95 % interval"] == "0.000 to 1.000"


@given(
    st.dictionaries(
        st.sampled_from([*IN_ORDER, "mine"]),
        st.dictionaries(st.sampled_from([*FULL, "strings/pass_at_1", "strings/cons_at_4"]), st.floats(0, 1)),
    )
)
def test_any_subset_of_models_and_metrics_makes_a_rectangular_table(metrics):
    suites = suites_of(metrics, NAMES)
    rows = stage_rows(metrics, suites, NAMES)
    assert [row["stage"] for row in rows] == [NAMES.title(model) for model in (*IN_ORDER, "mine") if model in metrics]
    assert len({tuple(row) for row in rows}) <= 1


def test_the_first_suite_is_the_one_with_the_most_to_learn():
    base = {"strings/pass_at_1": 0.87, "sums/pass_at_1": 0.34, "words/pass_at_1": 0.5}
    r1 = {"strings/pass_at_1": 0.1, "sums/pass_at_1": 0.99, "words/pass_at_1": 0.9}
    assert suites_of({"r1": r1, "base": base}, NAMES) == ["sums", "strings", "words"]
    assert suites_of({}, NAMES) == []


def test_the_headline_names_what_was_measured():
    metrics = {"base": {"sums/pass_at_1": 0.306}, "dev1": {"sums/pass_at_1": 0.7}, "r1": {"sums/pass_at_1": 0.981}}
    metrics["student"] = {"sums/pass_at_1": 0.2}
    assert headline(metrics, "sums", NAMES) == "pass@1 on sums: Base 0.31 -> Dev1 0.70 -> R1 0.98"
    assert headline({}, "sums", NAMES) == ""


def test_an_evaluation_stands_where_its_model_does_and_others_follow_the_recipe():
    assert NAMES.in_order(["teaching", "evaluate/r1", "problems", "unknown", "dev1"]) == [
        "dev1", "evaluate/r1", "problems", "teaching", "unknown",
    ]  # fmt: skip
    assert NAMES.families()["student"] == ["student", "distilled", "student_rl"]
    assert next(iter(NAMES.families())) == "base"


def test_a_summary_of_before_has_names_and_no_titles():
    old = names_of({"run": "x", "preset": "tiny", "stages": [{"name": "curate"}, {"name": "r1"}]})
    assert (old.title("curate"), old.main_line, old.in_order(["r1", "curate"])) == ("curate", (), ["curate", "r1"])
    new = names_of({"stages": [{"name": "r1", "title": "R1"}], "main_line": ["r1"], "starts": {"r1": "r1"}})
    assert new == Names({"r1": "R1"}, ("r1",), {"r1": "r1"})


def test_levels_are_in_numeric_order():
    metrics = {"r1": {"math/pass_at_1_level_10": 0.5, "math/pass_at_1_level_2": 0.9}, "base": {}}
    assert level_rows(metrics, "math", NAMES) == ([2, 10], {"base": ["", ""], "r1": ["0.900", "0.500"]})


@pytest.mark.parametrize("module", [f"r1flow.components.evals.report.{name}" for name in ("names", "stages", "paper")])
def test_importing_the_table_imports_nothing_heavy(module):
    heavy = {"matplotlib", "pyarrow", "numpy", "torch", "transformers", "mlflow", "prefect", "jinja2"}
    code = f"import sys, {module}; print(*({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == ""
