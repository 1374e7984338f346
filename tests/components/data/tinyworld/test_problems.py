"""The tiny world's arithmetic is right and its problems know themselves again."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.data.tinyworld.corpus import worked_chain
from r1flow.components.data.tinyworld.problems import (
    LETTERS,
    levels,
    make_problem,
    make_string,
    make_sum,
    problem_key,
    string_thought,
    sum_steps,
    write_step,
)

SEEDS = st.integers(0, 2**32)
TERMS = st.lists(st.integers(0, 99), min_size=2, max_size=5)


def prompt_of(terms):
    return "+".join(f"{t:02d}" for t in terms)


@settings(deadline=None)
@given(SEEDS, st.sampled_from(levels("sum")))
def test_a_sums_answer_is_its_terms_modulo_100(seed, terms):
    problem = make_sum(Random(seed), terms)
    numbers = [int(t) for t in problem.prompt.split("+")]
    assert len(numbers) == problem.level == terms
    assert problem.answer == f"{sum(numbers) % 100:02d}"
    assert all(len(t) == 2 for t in problem.prompt.split("+"))


@settings(deadline=None)
@given(TERMS)
def test_every_step_of_a_chain_is_right_and_the_last_is_the_answer(terms):
    steps = sum_steps(prompt_of(terms))
    assert [b for _, b, _ in steps] == terms[1:]
    assert all((a + b) % 100 == c for a, b, c in steps)
    assert [a for a, _, _ in steps] == [terms[0], *(c for _, _, c in steps[:-1])]
    assert steps[-1][2] == sum(terms) % 100


@settings(deadline=None)
@given(SEEDS, st.sampled_from(levels("sum")), st.sampled_from(["digits", "letters"]))
def test_a_written_chain_can_be_checked_by_reading_it(seed, terms, script):
    problem = make_sum(Random(seed), terms)
    thought, answer = worked_chain(problem, script).removeprefix("<think>").split("</think>")
    assert answer == problem.answer
    digits = thought if script == "digits" else thought.translate(str.maketrans(LETTERS, "0123456789"))
    assert (script == "letters") == any(c in LETTERS for c in thought)
    for step in digits.split(";"):
        left, right = step.split("=")
        assert sum(map(int, left.split("+"))) % 100 == int(right)
    assert len(thought.split(";")) == terms - 1


@settings(deadline=None)
@given(TERMS, st.randoms(use_true_random=False))
def test_a_sum_is_the_same_problem_in_whatever_order(terms, random):
    shuffled = list(terms)
    random.shuffle(shuffled)
    assert problem_key("sum", prompt_of(terms)) == problem_key("sum", prompt_of(shuffled))


def test_different_problems_have_different_keys():
    assert problem_key("sum", "01+02") != problem_key("sum", "01+03") != problem_key("sum", "01+03+00")
    assert problem_key("string", "Ckl") != problem_key("string", "Clk") != problem_key("sum", "Clk")


@settings(deadline=None)
@given(SEEDS, st.sampled_from(levels("string")))
def test_strings_are_copied_reversed_or_sorted(seed, length):
    problem = make_string(Random(seed), length)
    verb, text = problem.prompt[0], problem.prompt[1:]
    assert len(text) == problem.level == length
    expected = {"C": list(text), "R": list(reversed(text)), "S": sorted(text)}[verb]
    assert list(problem.answer) == expected


def test_a_string_thought_numbers_the_answers_letters():
    assert string_thought("pmk", "digits") == "1p2m3k"
    assert string_thought("pmk", "letters") == "bpcmdk"
    assert write_step((37, 45, 82), "digits") == "37+45=82"
    assert write_step((37, 45, 82), "letters") == "dh+ef=ic"


@pytest.mark.parametrize("skill", ["sum", "string"])
def test_problems_are_a_function_of_the_generator(skill):
    def draw():
        rng = Random(3)
        return [make_problem(rng, skill, levels(skill)[0]) for _ in range(5)]

    assert draw() == draw()
