"""The ledger's metrics against plain counting, and what follows from them."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.schema import Row
from r1flow.components.data.difficulty import (
    RatedModel,
    Tally,
    easy_to_hard,
    label_looks_wrong,
    never_solved,
    problem_key,
    within,
)
from r1flow.components.evals.answers import extract_answer
from r1flow.components.rewards.accuracy import score_answer
from tests.docs import ROOT

ZERO, DEV = RatedModel("grpo/aa11", "r1_zero"), RatedModel("grpo/bb22", "dev2")


def row(name="a", prompt="What is 1+1?", answer="2", **fields):
    return Row(id=name, prompt=prompt, answer=answer, verifier="exact", source="s", **fields)


def tally(name="a", answers=(), gold="2", policy=ZERO):
    found = Tally(row(name, answer=gold))
    for answer in answers:
        found.add(policy, 1, "CORRECT" if answer == gold else "WRONG", answer)
    return found


def test_a_problem_is_known_by_its_id_what_was_asked_and_what_is_right():
    assert problem_key(row()) == problem_key(row(prompt=" what IS\n1+1? ", level=3))
    others = [row("b"), row(prompt="What is 1+2?"), row(answer="3")]
    assert len({problem_key(r) for r in [row(), *others]}) == 4
    assert problem_key(row()).startswith("a#")


VERDICTS = st.sampled_from(["CORRECT", "WRONG", "UNPARSEABLE", "TIMEOUT", "MEMORY", "INFRA", None])
SAMPLES = st.lists(
    st.tuples(st.sampled_from([ZERO, DEV]), st.integers(1, 9), VERDICTS, st.sampled_from(["2", "3", None]))
)


@given(SAMPLES)
def test_the_figures_are_those_of_plain_counting(samples):
    found = Tally(row())
    for sample in samples:
        found.add(*sample)
    scored = [s for s in samples if s[2] not in ("INFRA", None)]
    assert (found.samples, found.unscored) == (len(scored), len(samples) - len(scored))
    assert found.correct == sum(s[2] == "CORRECT" for s in scored)
    assert found.pass_rate == (found.correct / len(scored) if scored else None)
    for policy, count in found.policies.items():
        own = [s for s in scored if s[0] == policy]
        assert (count.samples, count.correct) == (len(own), sum(s[2] == "CORRECT" for s in own))
        assert (count.first_step, count.last_step) == (min(s[1] for s in own), max(s[1] for s in own))
    named = Counter(s[3] for s in scored if s[3] is not None)
    assert found.majority_share == (max(named.values()) / len(scored) if named else 0)
    assert found.majority is None or named[found.majority] == max(named.values())


def test_a_label_looks_wrong_where_nearly_all_agree_on_another_answer():
    agree = tally("agree", ["3"] * 18 + ["2", None])
    nearly = tally("nearly", ["3"] * 17 + ["2", None, None])
    apart = tally("apart", [str(i) for i in range(10, 30)])
    right = tally("right", ["2"] * 20)
    few = tally("few", ["3"] * 15)
    everything = [agree, nearly, apart, right, few]
    assert [t.row.id for t in label_looks_wrong(everything, 16)] == ["agree"]
    assert [t.row.id for t in label_looks_wrong(everything, 16, 0.8)] == ["agree", "nearly"]
    assert [t.row.id for t in label_looks_wrong(everything, 10)] == ["few", "agree"]
    assert [t.row.id for t in never_solved(everything, 16)] == ["apart"]
    assert [t.row.id for t in never_solved(everything, 15)] == ["apart", "few"]


def test_an_answer_that_the_verifier_takes_in_another_spelling_is_right():
    found = Tally(row(answer="1/2"))
    for _ in range(20):
        found.add(ZERO, 1, "CORRECT", "0.5")
    assert found.majority_correct
    assert label_looks_wrong([found], 16) == []


def test_policies_are_called_by_stage_or_address():
    assert DEV.is_called("dev2")
    assert DEV.is_called("grpo/bb")
    assert not DEV.is_called("r1_zero")


ROWS = [row(f"p{i}") for i in range(9)]
RATES = {problem_key(r): (10, i) for i, r in enumerate(ROWS)}


def test_bounds_are_kept_including_their_ends_and_everything_left_out_is_counted():
    kept = within([*ROWS, row("new")], RATES, low=0.2, high=0.6, min_samples=10)
    assert [r.id for r in kept.rows] == ["p2", "p3", "p4", "p5", "p6"]
    assert (kept.too_hard, kept.too_easy, kept.unrated) == (2, 2, 1)
    assert within(ROWS, RATES, low=0, high=1, min_samples=11).unrated == 9


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)), max_size=30), st.floats(0, 1), st.floats(0, 1))
def test_rows_in_are_rows_out_and_rows_left_out(counts, one, other):
    rows = [row(f"q{i}") for i in range(len(counts))]
    rates = {problem_key(r): (n, min(n, c)) for r, (n, c) in zip(rows, counts, strict=True)}
    kept = within(rows, rates, low=min(one, other), high=max(one, other), min_samples=4)
    assert len(rows) == len(kept.rows) + kept.too_hard + kept.too_easy + kept.unrated


@pytest.mark.parametrize(("num", "expected"), [(9, "876543210"), (20, "876543210"), (3, "840"), (2, "80"), (1, "4")])
def test_from_easy_to_hard_and_evenly_where_there_are_too_many(num, expected):
    assert [r.id[1:] for r in easy_to_hard(ROWS[::-1], RATES, num)] == list(expected)


OUTPUTS = ROOT.parent / "shared" / "data" / "model_outputs" / "qwen_math_cot_100.minus_heldout.jsonl"


@pytest.mark.skipif(not OUTPUTS.is_file(), reason="shared/data/model_outputs is not beside this checkout")
def test_swapped_gold_answers_of_real_solutions_are_found():
    """Eight solutions of a strong model per MATH problem; every tenth problem gets the gold answer of the next one."""
    problems = [json.loads(line) for line in OUTPUTS.read_text(encoding="utf-8").splitlines()]
    swapped = {
        str(problem["idx"]): problems[(i + 1) % len(problems)]["gt"]
        for i, problem in enumerate(problems)
        if i % 10 == 0
    }
    tallies = []
    for problem in problems:
        name = str(problem["idx"])
        gold = swapped.get(name, problem["gt"])
        found = Tally(Row(id=name, prompt=problem["question"], answer=gold, verifier="math", source="MATH"))
        for solution in problem["code"]:
            text = f"<think></think>{solution}"
            found.add(ZERO, 1, score_answer(text, found.row).verdict.name, extract_answer(text, found.row))
        tallies.append(found)
    doubtful = {t.row.id: t.row.answer for t in label_looks_wrong(tallies, 8)}
    assert set(swapped) <= set(doubtful)
    # Of the published answers it doubts two: one was cut off, and on one all eight solutions agree on something else.
    assert {name: gold for name, gold in doubtful.items() if name not in swapped} == {"3": "4:30p..", "84": "140"}


@pytest.mark.parametrize(("samples", "correct"), [(25, 7), (100, 29), (50, 14), (128, 64)])
def test_a_rate_that_is_the_bound_lies_within_it(samples: int, correct: int) -> None:
    """0.28 * 25 is 7.000000000000001."""
    row = Row(id="a", prompt="p", answer="1", verifier="exact", source="s")
    bound = correct / samples
    kept = within([row], {problem_key(row): (samples, correct)}, low=bound, high=bound, min_samples=1)
    assert kept.rows == [row]
