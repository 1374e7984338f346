from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError, ScoringError
from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.data.sources import tiny_rows
from r1flow.components.data.tinyworld.corpus import worked_chain
from r1flow.components.data.tinyworld.problems import make_problem
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.custom import load_reward, reward_digests
from r1flow.components.rewards.language import AlphabetLanguage
from r1flow.components.rewards.score import MAX_INFRA, Judge, Rules, Scored, Scorer

TINY = AlphabetLanguage(target="0123456789", other="abcdefghij")
WEIGHTS = {"accuracy": 1.0, "format": 1.0, "language": 0.0}


def scorer(judge: Judge | None = None, **changes: Any) -> Scorer:
    return Scorer(replace(Rules(WEIGHTS, "think", TINY), **changes), judge)


def score(text: str, row: Row) -> Scored:
    return scorer()([text], [row])[0]


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
    with pytest.raises(ConfigError, match="accuracy, cosine_length, format"):
        scorer(weights={"speed": 1.0})


def test_as_many_rows_as_completions_are_needed() -> None:
    rows = tiny_rows("sum", 4, 0, ())
    with pytest.raises(ValueError, match="1 completions for 4 rows"):
        scorer()(["x"], rows)


def test_rewards_on_length_and_shape_join_in_where_they_have_a_weight() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    weights = {
        "accuracy": 1.0,
        "tags": 1.0,
        "overlong": 1.0,
        "cosine_length": 1.0,
        "repetition": 1.0,
        "group_length": 2.0,
    }
    texts = ["<think>1</think>50", "<think>1</think>51", "<think> a a a a a </think> 50", "<think>1</think>50"]
    shaped = scorer(weights=weights, max_tokens=20, overlong_tokens=10)
    found = shaped(texts, [row] * 4, lengths=[10, 20, 15, 15], samples=2)
    assert [s.components["overlong"] for s in found] == [0.0, -1.0, -0.5, -0.5]
    assert [s.components["group_length"] for s in found] == [0.5, -0.5, 0.0, 0.0]
    assert found[0].components["cosine_length"] == pytest.approx(0.75)
    assert found[1].components["cosine_length"] == pytest.approx(-0.5)
    assert found[2].components["repetition"] == pytest.approx(-1 / 3)
    assert found[0].components["tags"] == 0.0  # no line ends around the tags
    assert found[0].total == pytest.approx(1 + 0 + 0.75 + 0 + 2 * 0.5)
    assert "overlong" not in score(texts[0], row).components


def test_a_reward_behind_a_gate_counts_only_where_the_gate_is_open() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    gated = scorer(weights={"accuracy": 1.0, "language": 1.0}, gates={"language": "accuracy"})
    assert [s.total for s in gated(["<think>1</think>50", "<think>1</think>51"], [row] * 2)] == [2.0, 0.0]


def test_a_reward_of_ones_own_is_named_by_module_and_function() -> None:
    name = "tests.components.rewards.test_score:brevity"
    row = Row(id="r", prompt="p", answer="50", verifier="exact", source="test")
    own = scorer(weights={"accuracy": 1.0, name: 0.5}, custom={name: load_reward(name)})
    found = own(["<think>1</think>50", "<think>12345678901234567890</think>50"], [row] * 2)
    assert [(s.components[name], s.total) for s in found] == [(1.0, 1.5), (0.0, 1.0)]


def test_the_source_of_a_custom_reward_identifies_it() -> None:
    name = "tests.components.rewards.test_score:brevity"
    assert reward_digests([name]) == {name: sha256(Path(__file__).read_bytes()).hexdigest()}


@pytest.mark.parametrize("name", ["no.such.module:f", "tests.components.rewards.test_score:missing"])
def test_a_custom_reward_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name.partition(":")[0]):
        load_reward(name)


class Broken:
    """A judge whose machinery is down."""

    def ahead(self, completion: str, row: Row) -> None: ...

    def __call__(self, completions: Sequence[str], rows: Sequence[Row]) -> list[Score]:
        return [Score.of(Verdict.INFRA, detail="no sandbox")] * len(completions)


def test_a_verifier_that_is_down_stops_the_run_and_teaches_nothing() -> None:
    row = Row(id="r", prompt="p", answer=r"\ln 8", verifier="math", source="test")
    text = r"<think>1</think>\boxed{3\ln 3}"
    assert scorer(Broken())([text], [row])[0].total is None
    with pytest.raises(ScoringError, match="no sandbox"):
        scorer(Broken())([text] * round(2 + MAX_INFRA), [row] * 2)


def brevity(completions: Sequence[str], examples: Sequence[Row]) -> list[float | None]:
    return [float(len(text) < 30) for text in completions]
