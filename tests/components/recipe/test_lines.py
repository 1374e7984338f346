"""Lines of models in a recipe's graph: where each began, the main line, and which were not made from each other."""

from typing import Any

from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.recipe.recipe import Recipe


def recipe(**more: Any) -> Recipe:
    data = {"sources": {"sum": {"generator": "tiny/sum", "size": 10}}}
    rl = {"kind": "rl", "data": "problems", "steps": 1, "learning_rate": 1e-4, "max_tokens": 8, "mixture": {"sum": 1.0}}
    made = {
        "name": "mine",
        "models": {"one": {"source": "builtin:tiny-base"}, "two": {"source": "builtin:tiny-student"}},
        "datasets": {"problems": data, "traces": {"kind": "demonstrations", **data}},
        "stages": {
            "alone": {**rl, "model": "one"},
            "taught": {"kind": "sft", "model": "one", "data": "traces", "learning_rate": 1e-4},
            "further": {**rl, "model": "taught"},
            "small": {**rl, "model": "two"},
        },
        "suites": {"sums": {"known": "tiny-sums"}},
    }
    return make_recipe(made | more, [])


def test_of_tiny_the_students_alone_are_rivals() -> None:
    graph = load_recipe("tiny").graph
    assert graph.rivals() == [("distilled", "student_rl")]
    assert graph.main_line() == ["base", "r1_zero", "dev1", "dev2", "dev3", "r1"]
    assert [graph.root(name) for name in ("r1", "distilled", "base")] == ["base", "student", "base"]


def test_what_comes_from_another_start_model_is_no_rival() -> None:
    assert recipe().graph.rivals() == [("alone", "taught"), ("alone", "further")]


def test_the_main_line_has_one_start_model() -> None:
    assert recipe().graph.main_line() == ["one", "alone", "taught", "further"]
    promoted = recipe(promote={"mine": {"model": "small", "suite": "sums"}})
    assert promoted.graph.main_line() == ["two", "small"]


def test_a_model_that_is_pretrained_here_is_a_start_of_its_own() -> None:
    graph = load_recipe("tiny-base").graph
    assert [graph.root(name) for name in ("base", "student")] == ["base", "student"]
    assert graph.main_line() == ["base"]
