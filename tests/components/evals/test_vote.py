"""Whose votes count together: answers that the row's verifier holds equal, whatever their texts."""

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.evals.answers import extract_answer
from r1flow.components.evals.stats import cons_at_k
from r1flow.components.evals.vote import votes
from r1flow.components.rewards.accuracy import score_answer
from r1flow.components.rewards.pool.judge import PoolJudge
from r1flow.components.rewards.pool.pool import ScoringPool
from r1flow.components.rewards.score import InProcess


def row(answer, verifier="math"):
    return Row(id="p", prompt="?", answer=answer, verifier=verifier, source="test")


def chain(number, answer):
    """A long chain of thought that no other sample writes."""
    steps = " ".join(f"In step {step} of attempt {number} I get {step * number + 7}." for step in range(200))
    return f"<think>{steps}</think>{answer}"


def consensus(problem, completions, judge=None):
    """cons@k of one problem, and beside it the vote on texts."""
    marks = [[score_answer(text, problem).verdict == "CORRECT" for text in completions]]
    said = [[extract_answer(text, problem) for text in completions]]
    ballots = votes(said, marks, [problem], judge or InProcess())
    return cons_at_k(ballots, marks), cons_at_k([completions], marks), cons_at_k(said, marks)


def test_a_vote_on_long_chains_as_texts_is_whatever_was_said_first():
    completions = [chain(i, answer) for i, answer in enumerate(["\\boxed{7}", *["so it is \\boxed{12}"] * 9])]
    by_answer, by_text, _ = consensus(row("12"), completions)
    assert (by_answer, by_text) == (1.0, 0.0)


def test_a_vote_on_extracted_texts_splits_what_is_one_answer():
    forms = ["\\frac{1}{2}", "0.5", "\\frac12", "1/2", "50\\%"]
    completions = [chain(i, f"\\boxed{{{form}}}") for i, form in enumerate([*forms, "3", "3"])]
    by_answer, _, by_extracted_text = consensus(row("1/2"), completions)
    assert (by_answer, by_extracted_text) == (1.0, 0.0)
    by_answer, _, by_extracted_text = consensus(row("3"), completions)
    assert (by_answer, by_extracted_text) == (0.0, 1.0), "and lets the smaller party win"


def test_answers_that_take_algebra_are_compared_where_a_hostile_one_can_be_stopped():
    forms = ["x^2+2x+1", "(x+1)^2", "(x+1)(x+1)", "9^{9^{9^{9}}}"]
    completions = [chain(i, f"\\boxed{{{form}}}") for i, form in enumerate([*forms, "\\sin x", "\\sin x"])]
    with ScoringPool(1) as pool:
        assert consensus(row("\\sin x"), completions, PoolJudge(pool))[0] == 0.0
        assert consensus(row("(1+x)^2"), completions, PoolJudge(pool))[0] == 1.0


def test_nothing_is_compared_where_the_vote_is_decided():
    class Forbidden:
        def ahead(self, completion, row):
            raise AssertionError

        __call__ = ahead

    for answers in (["x+1", "1+x", "y"], ["7", "x+1", "7"], ["7", "7", None]):
        marks = [[answer == "7" for answer in answers]]
        votes([answers], marks, [row("7")], Forbidden())


@pytest.mark.parametrize(
    ("verifier", "gold", "said", "right"),
    [
        ("exact", "50", [" 50", "50\n", "051", "052"], 1.0),
        ("exact", "50", ["50", "5e1", "5e1"], 0.0),
        ("choice", "B", ["(B) Paris", "the answer is B", "C", "D"], 1.0),
        ("choice", "B", ["B", "(C)", "answer: C"], 0.0),
    ],
)
def test_every_verifier_has_its_own_equality(verifier, gold, said, right):
    completions = [chain(i, answer) for i, answer in enumerate(said)]
    assert consensus(row(gold, verifier), completions)[0] == right


def test_programs_are_not_voted_on():
    assert extract_answer("<think>a</think>print(1)", row("", "code")) is None


def test_hostile_answers_are_votes_of_their_own():
    said = ["7", "\ud800", "\0gold", "{" * 50, "x=", "\x00", "9" * 5000]
    marks = [[answer == "7" for answer in said]]
    ballot = votes([said], marks, [row("7")], InProcess())[0]
    assert len(set(ballot)) == len(said)
    assert ballot.count(ballot[0]) == 1
