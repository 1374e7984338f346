"""The suites of a recipe as files: all problems of each, the same in every run, and none that cannot be judged."""

import json

import pytest

from r1flow.components.core.artifacts import Suites
from r1flow.components.core.errors import DataError
from r1flow.components.data.files import load_rows
from r1flow.components.programs.suites import main
from r1flow.components.recipe.presets import make_recipe


def run(tmp_path, suites, seed=0, addresses=None):
    recipe = make_recipe({"name": "x", "suites": suites})
    dumped = {name: {"source": suite.source.model_dump(mode="json")} for name, suite in recipe.suites.items()}
    out = tmp_path / f"out-{seed}"
    spec = {
        "stage": "suites",
        "seed": seed,
        "config": {"suites": dumped},
        "notes": {"addresses": addresses or {}},
        "out": str(out),
        "work": str(tmp_path),
        "store": "x",
        "checkpoints": "y",
    }
    return main(spec), Suites(out)


def test_every_suite_is_a_file_of_all_its_problems(tmp_path):
    (tmp_path / "exam.jsonl").write_text(
        "".join(json.dumps({"prompt": f"{i}+1", "answer": str(i + 1)}) + "\n" for i in range(5))
    )
    suites = {"sums": {"known": "tiny-sums", "problems": 16}, "exam": {"source": {"uri": "here"}, "problems": 2}}
    metrics, found = run(tmp_path, suites, addresses={"suites.exam.source.uri": str(tmp_path / "exam.jsonl")})
    assert metrics == {"sums/problems": 16, "exam/problems": 5, "quarantined": 0}
    assert list(found.names()) == ["exam", "sums"]
    assert [row.prompt for row in load_rows(found.problems("exam"))] == [f"{i}+1" for i in range(5)]
    assert all(row.id.startswith("sums-sum-") for row in load_rows(found.problems("sums")))


def test_the_seed_of_a_recipe_changes_no_suite(tmp_path):
    suites = {"strings": {"known": "tiny-strings"}}
    (_, one), (_, other) = run(tmp_path, suites, 0), run(tmp_path, suites, 7)
    assert one.problems("strings").read_bytes() == other.problems("strings").read_bytes()


def test_a_suite_with_too_many_bad_problems_is_refused_by_name(tmp_path):
    (tmp_path / "exam.jsonl").write_text('{"prompt": "1+1", "answer": "2"}\n{"prompt": "1+2", "answer": ""}\n')
    with pytest.raises(DataError, match=r"exam: 1 of 2 lines are unusable(?s:.*)empty 'answer'"):
        run(tmp_path, {"exam": {"source": {"uri": str(tmp_path / "exam.jsonl")}}})
