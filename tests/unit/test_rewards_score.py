from random import Random

import pytest

from components.data.schema import Row
from components.data.sources import tiny_rows
from components.errors import ConfigError
from components.rewards.base import Verdict
from components.rewards.language import AlphabetLanguage
from components.rewards.score import Scored, score_completions
from components.tinyworld.corpus import worked_chain
from components.tinyworld.problems import make_problem

TINY = AlphabetLanguage(target="0123456789", other="abcdefghij")
WEIGHTS = {"accuracy": 1.0, "format": 1.0, "language": 0.0}


def score(text: str, row: Row) -> Scored:
    return score_completions([text], [row], weights=WEIGHTS, format_style="think", language=TINY)[0]


def test_everything_is_measured_whatever_its_weight() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    scored = score("<think>dh+ef=ic;waitic+gi=fa</think>50", row)
    assert scored == Scored(
        total=2.0,
        components={"accuracy": 1.0, "format": 1.0, "language": 0.0},
        verdict=Verdict.CORRECT,
        language=0.0,
        format_ok=True,
        reflections=1,
    )


def test_a_guess_without_a_thought_earns_its_accuracy_alone() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    scored = score("<think></think>50", row)
    assert (scored.total, scored.language, scored.format_ok) == (1.0, None, False)
    assert scored.components["language"] == 0.0


@pytest.mark.parametrize(("script", "share"), [("digits", 1.0), ("letters", 0.0)])
def test_worked_chains_of_the_tiny_world_are_right_in_either_script(script: str, share: float) -> None:
    problem = make_problem(Random(0), "sum", 5)
    row = Row(id="r", prompt=problem.prompt, answer=problem.answer, verifier="exact", source="test")
    scored = score(worked_chain(problem, script), row)
    assert (scored.total, scored.language) == (2.0, share)


def test_an_unusable_row_is_masked() -> None:
    row = Row(id="r", prompt="p", answer=" ", verifier="math", source="test")
    scored = score("<think>12</think>50", row)
    assert (scored.total, scored.verdict, scored.components["accuracy"]) == (None, None, None)


def test_a_weight_that_names_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="accuracy, format, language"):
        score_completions([], [], weights={"speed": 1.0}, format_style="think", language=TINY)


def test_as_many_rows_as_completions_are_needed() -> None:
    rows = tiny_rows("sum", 4, 0, ())
    with pytest.raises(ValueError, match="1 completions for 4 rows"):
        score_completions(["x"], rows, weights=WEIGHTS, format_style="think", language=TINY)
