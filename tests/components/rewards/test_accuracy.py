import threading
from typing import get_args

import pytest

from r1flow.components.core.schema import Row, Verifier
from r1flow.components.core.tests import CodeTests
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.accuracy import accuracy, full_score, quick_score, score_answer, usable
from r1flow.components.rewards.base import Score

CORRECT, WRONG, UNPARSEABLE = Verdict.CORRECT, Verdict.WRONG, Verdict.UNPARSEABLE


def row(answer: str, verifier: Verifier = "math", tests: CodeTests | None = None) -> Row:
    return Row(id="r", prompt="p", answer=answer, verifier=verifier, source="test", tests=tests)


@pytest.mark.parametrize(
    ("completion", "verdict"),
    [
        ("<think>37+45=82;82+68=50</think>50", CORRECT),
        ("<think>37+45=82</think> 50\n", CORRECT),
        ("37+45=82</think>50", CORRECT),
        ("<think>a</think>49<think>b</think>50", CORRECT),
        ("<think>50</think>49", WRONG),
        ("<think>50</think>", WRONG),
        ("<think></think>050", WRONG),
        ("<think>50", UNPARSEABLE),
        ("50", UNPARSEABLE),
        ("<think>a</think>50<think>", UNPARSEABLE),
    ],
)
def test_only_what_follows_the_last_closed_thought_is_compared_exactly(completion: str, verdict: Verdict) -> None:
    assert score_answer(completion, row("50", "exact")).verdict is verdict


def test_a_boxed_answer_inside_the_thought_earns_nothing() -> None:
    assert score_answer("<think>\\boxed{5}</think> I am done", row("5")).reward == 0.0
    assert score_answer("<think>\\boxed{5}</think>", row("5")).verdict is WRONG
    assert score_answer("<think>\\boxed{4}</think>\\boxed{5}", row("5")).verdict is CORRECT


def test_infra_is_masked_and_every_other_verdict_is_a_number() -> None:
    assert {verdict: Score.of(verdict).reward for verdict in Verdict} == {
        CORRECT: 1.0,
        WRONG: 0.0,
        UNPARSEABLE: 0.0,
        Verdict.TIMEOUT: 0.0,
        Verdict.MEMORY: 0.0,
        Verdict.INFRA: None,
    }


def test_rewards_come_in_batches_with_none_for_an_unusable_row() -> None:
    rows = [row("50", "exact"), row("5"), row("")]
    assert accuracy(["<think>a</think>50", "<think>a</think>6", "<think>a</think>6"], rows) == [1.0, 0.0, None]


def test_verdicts_are_the_same_in_a_thread() -> None:
    found: list[Score] = []
    thread = threading.Thread(target=lambda: found.append(full_score("</think>\\boxed{2\\sqrt{3}}", row("\\sqrt{12}"))))
    thread.start()
    thread.join(timeout=60)
    assert [score.verdict for score in found] == [CORRECT]


@pytest.mark.parametrize("verifier", get_args(Verifier))
@pytest.mark.parametrize("completion", ["</think>B", "</think>", "never closed", "</think>\\boxed{\\sqrt{4}}"])
def test_what_is_quick_is_what_is_full(verifier: Verifier, completion: str) -> None:
    example = row("B", verifier)
    quick = quick_score(completion, example)
    assert quick is None or quick == full_score(completion, example)


def test_algebra_and_programs_are_never_quick() -> None:
    assert quick_score("</think>\\boxed{3\\ln 2}", row("\\ln 8")) is None
    assert quick_score("</think>print(1)", row("", "code", CodeTests(assertions="assert True"))) is None


def test_choices_are_scored_by_their_letters() -> None:
    assert score_answer("<think>A</think>The answer is (B).", row("B", "choice")).verdict is CORRECT
    assert score_answer("<think>B</think>The answer is (C).", row("B. Paris", "choice")).verdict is WRONG


def test_a_row_whose_own_answer_cannot_be_used_is_known_before_anything_is_sampled() -> None:
    assert usable(row("5"))
    assert usable(row("B", "choice"))
    assert usable(row("anything", "exact"))
    assert not usable(row("  "))
    assert not usable(row("\\boxed{"))
    assert not usable(row("???", "choice"))
    assert not usable(row("", "code"))
    assert usable(row("", "code", CodeTests(assertions="assert True")))
    assert {full_score(text, row("")).reward for text in ("</think>5", "</think>", "not closed")} == {None}
    assert {full_score(text, row("", "code")).reward for text in ("</think>5", "not closed")} == {None}
