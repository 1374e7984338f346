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
from r1flow.components.rewards.base import RewardBatch, Score, Shaping
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
    with pytest.raises(ConfigError, match="there are accuracy, format, language, tags"):
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
    shaped = scorer(weights=weights, max_tokens=20, shaping=Shaping(overlong_share=0.5))
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
    own = scorer(weights={name: 0.5, "accuracy": 1.0}, custom={name: load_reward(name)})
    found = own(["<think>1</think>50", "<think>12345678901234567890</think>50"], [row] * 2)
    assert [(s.components[name], s.total) for s in found] == [(1.0, 1.5), (0.0, 1.0)]


def test_the_source_of_a_custom_reward_identifies_it() -> None:
    name = "tests.components.rewards.test_score:brevity"
    assert reward_digests([name]) == {name: sha256(Path(__file__).read_bytes()).hexdigest()}


@pytest.mark.parametrize("name", ["no.such.module:f", "tests.components.rewards.test_score:missing"])
def test_a_custom_reward_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name.partition(":")[0]):
        load_reward(name)


def test_a_reward_that_takes_more_than_a_batch_is_refused_before_it_is_called() -> None:
    with pytest.raises(ConfigError, match="of_old must take one argument, a RewardBatch"):
        load_reward("tests.components.rewards.test_score:of_old")


def test_a_reward_sees_texts_rows_lengths_groups_verdicts_and_parameters() -> None:
    seen: list[RewardBatch] = []

    def watch(batch: RewardBatch) -> list[None]:
        seen.append(batch)
        return [None] * len(batch.texts)

    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    unusable = Row(id="u", prompt="p", answer=" ", verifier="math", source="test")
    texts, rows = ["<think>1</think>50", "<think>1</think>51", "50", "50"], [row, row, unusable, unusable]
    scored = scorer(custom={"own": watch}, max_tokens=20, prefilled=True, shaping=Shaping(ngram=5))(
        texts, rows, lengths=[4, 3, 2, 1], samples=2
    )
    assert [s.components["own"] for s in scored] == [None] * 4
    assert seen == [
        RewardBatch(
            texts,
            rows=rows,
            lengths=[4, 3, 2, 1],
            groups=[0, 0, 1, 1],
            verdicts=[Verdict.CORRECT, Verdict.WRONG, None, None],
            max_tokens=20,
            prefilled=True,
            shaping=Shaping(ngram=5),
        )
    ]


def test_none_masks_a_completion_only_where_the_reward_has_a_weight() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    custom = {"own": lambda batch: [None for _ in batch.texts]}
    for weight, total in ((0.0, 1.0), (0.5, None)):
        own = scorer(weights={"accuracy": 1.0, "own": weight}, custom=custom)
        assert own(["<think>1</think>50"], [row])[0].total == total


def test_a_reward_on_length_is_refused_without_lengths() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    for name in ("overlong", "cosine_length", "group_length"):
        with pytest.raises(ConfigError, match=f"the reward {name} "):
            scorer(weights={"accuracy": 1.0, name: 1.0})(["50"], [row])


def test_a_total_adds_in_one_order_whatever_the_recipe_says() -> None:
    row = Row(id="r", prompt="37+45+68", answer="50", verifier="exact", source="test")
    weights = {
        "repetition": 0.3,
        "group_length": 0.1,
        "cosine_length": 0.7,
        "overlong": 0.9,
        "tags": 0.2,
        "accuracy": 1.1,
    }
    texts = ["<think>\n1 a a a a\n</think>\n50", "<think>1</think>50"]
    either = [
        scorer(weights=dict(order), max_tokens=20)(texts, [row] * 2, lengths=[17, 19], samples=2)
        for order in (weights.items(), reversed(weights.items()))
    ]
    assert either[0] == either[1]
    assert list(either[0][0].components)[3:] == ["tags", "overlong", "cosine_length", "repetition", "group_length"]


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


def brevity(batch: RewardBatch) -> list[float]:
    return [float(len(text) < 30) for text in batch.texts]


def of_old(completions: Sequence[str], examples: Sequence[Row]) -> list[float]:
    """Two arguments."""
    return [0.0 for _ in completions]
