"""The pre-training mixture: what it holds, in which shares, and what it never holds."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from r1flow.components.data.tinyworld import corpus
from r1flow.components.data.tinyworld.corpus import make_row, worked_chain
from r1flow.components.data.tinyworld.problems import LETTERS, Problem


@pytest.fixture(scope="module")
def rows():
    rng = Random(0)
    return [make_row(rng, ()) for _ in range(6000)]


def share(rows, condition):
    return sum(bool(condition(p, text)) for p, text in rows) / len(rows)


def answer_of(text):
    return text.partition("</think>")[2]


def test_an_excluded_key_never_appears_in_any_order_of_its_terms():
    every = {f"sum:{min(a, b):02d}+{max(a, b):02d}" for a in range(100) for b in range(100)}
    allowed = {key for key in every if key.startswith("sum:00+")}
    excluded = every - allowed
    rng = Random(1)
    keys = {problem.key for problem, _ in (make_row(rng, excluded) for _ in range(2000))}
    assert not keys & excluded
    assert keys & allowed


def test_rows_are_a_function_of_the_generator():
    one, other = Random(7), Random(7)
    assert [make_row(one, ()) for _ in range(50)] == [make_row(other, ()) for _ in range(50)]


def test_the_mixture_has_its_shares(rows):
    kinds = Counter(("string" if p.skill == "string" else p.level) for p, _ in rows)
    assert kinds["string"] / len(rows) == pytest.approx(corpus.STRING_SHARE, abs=0.03)
    assert kinds[2] / len(rows) == pytest.approx((1 - corpus.STRING_SHARE) * corpus.PAIR_SHARE, abs=0.03)
    assert set(kinds) == {"string", 2, 3, 4, 5}
    long_sums = [(p, t) for p, t in rows if p.skill == "sum" and p.level > 2]
    assert share(long_sums, lambda p, t: t.startswith("<think></think>")) == pytest.approx(
        corpus.DIRECT_SHARE["sum"], abs=0.04
    )
    assert 0.5 < share(rows, lambda p, t: answer_of(t) == p.answer) < 0.9


def test_worked_chains_are_in_it_and_guesses_are_often_wrong(rows):
    pairs = [(p, t) for p, t in rows if p.skill == "sum" and p.level == 2]
    assert share(pairs, lambda p, t: t in {worked_chain(p, "digits"), worked_chain(p, "letters")}) == pytest.approx(
        1 - corpus.DIRECT_SHARE["pair"], abs=0.04
    )
    guesses = [(p, t) for p, t in rows if t.startswith("<think></think>")]
    assert share(guesses, lambda p, t: answer_of(t) == p.answer) == pytest.approx(1 - corpus.GUESS_WRONG, abs=0.04)


def test_chains_in_letters_are_more_often_right_than_chains_in_digits(rows):
    chains = [(p, t) for p, t in rows if p.skill == "sum" and p.level > 2 and not t.startswith("<think></think>")]
    letters = [(p, t) for p, t in chains if any(c in LETTERS for c in t.split("think>")[1].replace("wait", ""))]
    digits = [row for row in chains if row not in letters]
    right = [share(part, lambda p, t: answer_of(t) == p.answer) for part in (letters, digits)]
    assert right[0] > right[1] + 0.05


def test_some_flawed_chains_are_redone_and_some_are_never_closed(rows):
    assert share(rows, lambda p, t: "wait" in t) > 0.002
    assert share(rows, lambda p, t: "</think>" not in t) > 0.008  # 0.0103 by the shares of the mixture


def test_after_a_redone_step_the_chain_goes_on_from_the_right_value(rows):
    def number(text):
        return int(text.translate(str.maketrans(LETTERS, "0123456789")))

    redone = 0
    for _, text in rows:
        steps = text.removeprefix("<think>").partition("</think>")[0].split(";")
        for before, after in pairwise(steps):
            if not before.startswith("wait") or "=" not in before:
                continue
            redone += 1
            left, result = before.removeprefix("wait").split("=")
            assert sum(map(number, left.split("+"))) % 100 == number(result[:2])
            assert number(after.removeprefix("wait").split("+")[0]) == number(result[:2])
    assert redone > 3


def test_a_worked_chain_reads_as_in_the_documentation():
    problem = Problem("37+45+68", "50", "sum", 3)
    assert worked_chain(problem, "digits") == "<think>37+45=82;82+68=50</think>50"


def test_string_rows_answer_their_problem_or_shuffle_its_letters(rows):
    for problem, text in rows:
        if problem.skill == "string":
            assert sorted(answer_of(text)) == sorted(problem.answer)
