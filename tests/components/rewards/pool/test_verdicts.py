"""What the deaths of workers say about an item: no completion brings about INFRA or an unusable row."""

import itertools
from typing import Literal

import pytest

from r1flow.components.core.schema import Row
from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.pool.batch import Batch, Job
from r1flow.components.rewards.pool.golds import REMEMBERED, Golds
from r1flow.components.rewards.pool.process import Death
from r1flow.components.rewards.pool.turns import Item, Turns
from r1flow.components.rewards.pool.verdicts import OUTSIDE_TRIES, STARVED_TRIES, after_death, failed, over_the_clock


def row(answer: str = "5", verifier: Literal["math", "code"] = "math") -> Row:
    return Row(id="r", prompt="p", answer=answer, verifier=verifier, source="s")


def item(verifier: Literal["math", "code"] = "math") -> Item:
    return Item(Batch([Job("c", row(verifier=verifier))]), 0)


BY_ITSELF = [Death.CRASH, Death.MEMORY]


@pytest.mark.parametrize("deaths", list(itertools.product(BY_ITSELF, BY_ITSELF)))
def test_two_deaths_of_its_own_earn_zero(deaths: tuple[Death, Death]) -> None:
    one = item()
    assert after_death(one, deaths[0], "signal 11", gold_passed=True) is None
    score = after_death(one, deaths[1], "signal 11", gold_passed=True)
    assert score is not None
    assert score.reward == 0.0
    assert score.verdict is {Death.CRASH: Verdict.WRONG, Death.MEMORY: Verdict.MEMORY}[deaths[1]]


def test_a_kill_from_outside_is_not_held_against_an_answer() -> None:
    one = item()
    for _ in range(OUTSIDE_TRIES - 1):
        assert after_death(one, Death.OUTSIDE, "signal 9", gold_passed=True) is None
    assert one.deaths == 0
    score = after_death(one, Death.OUTSIDE, "signal 9", gold_passed=True)
    assert score is not None
    assert score.verdict is Verdict.INFRA


@pytest.mark.parametrize("deaths", list(itertools.product(Death, Death)))
def test_no_death_over_a_program_is_infrastructure(deaths: tuple[Death, Death]) -> None:
    one = item("code")
    assert after_death(one, deaths[0], "signal 9", gold_passed=True) is None
    score = after_death(one, deaths[1], "signal 9", gold_passed=True)
    assert score is not None
    assert score.reward == 0.0


def test_what_goes_wrong_before_the_completion_is_the_golds_doing() -> None:
    one = item()
    after_death(one, Death.CRASH, "signal 6", gold_passed=False)
    crashed = after_death(one, Death.CRASH, "signal 6", gold_passed=False)
    scores = [
        crashed,
        over_the_clock(item(), 4.0, 3.9, gold_passed=False),
        failed("ValueError", memory=True, gold_passed=False),
    ]
    assert all(score is not None and score.verdict is None and score.reward is None for score in scores)


def test_what_goes_wrong_after_the_gold_is_the_completions_doing() -> None:
    slow = over_the_clock(item(), 4.0, 3.9, gold_passed=True)
    assert slow is not None
    assert slow.verdict is Verdict.TIMEOUT
    assert failed("out of memory", memory=True, gold_passed=True).verdict is Verdict.MEMORY
    assert failed("ValueError", memory=False, gold_passed=True).verdict is Verdict.WRONG


@pytest.mark.parametrize(("gold_passed", "verdict"), [(True, Verdict.TIMEOUT), (False, None)])
def test_an_answer_that_was_not_given_the_processor_is_tried_again_and_not_for_ever(
    gold_passed: bool, verdict: Verdict | None
) -> None:
    one = item()
    for _ in range(STARVED_TRIES - 1):
        assert over_the_clock(one, 4.0, 1.9, gold_passed=gold_passed) is None
    score = over_the_clock(one, 4.0, 1.9, gold_passed=gold_passed)
    assert score is not None
    assert score.verdict is verdict
    program = over_the_clock(item("code"), 40.0, 0.0, gold_passed=True)  # it works in processes of its own
    assert program is not None
    assert program.verdict is Verdict.TIMEOUT


def test_batches_take_turns_and_an_item_put_back_is_the_next() -> None:
    turns, large, small = Turns(), Batch([Job("c", row())] * 5), Batch([Job("c", row())] * 2)
    turns.add(large)
    turns.add(small)
    first = turns.take()
    assert first is not None
    turns.again(first)
    assert turns.waiting == 7
    taken = []
    while (one := turns.take()) is not None:
        taken.append(("large" if one.batch is large else "small", one.index))
    assert taken == [
        ("large", 0),
        ("small", 0),
        ("large", 1),
        ("small", 1),
        ("large", 2),
        ("large", 3),
        ("large", 4),
    ]
    assert turns.waiting == 0


def test_golds_are_tried_once_and_programs_have_none() -> None:
    golds, broken = Golds(), over_the_clock(item(), 4.0, 3.9, gold_passed=False)
    assert golds.untried(row("5"))
    golds.remember(row("5"), None)
    golds.remember(row("6"), broken)
    golds.remember(row("7", "code"), broken)
    assert not golds.untried(row("5"))
    assert golds.broken(row("5")) is None
    assert golds.broken(row("6")) == broken
    assert golds.broken(row("6", "code")) is None
    assert not golds.untried(row("7", "code"))
    for number in range(REMEMBERED):
        golds.remember(row(f"x+{number}"), None)
    assert golds.untried(row("5"))
