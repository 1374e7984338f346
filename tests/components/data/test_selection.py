"""Rejection sampling: every reason by a case, never more than asked for, and those that differ are kept."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from r1flow.components.data.selection import choose, fault, overlap, repetition, token_ngrams
from r1flow.components.recipe.stages import Amount, SelectStage


def completion(ids=(1, 2, 3, 4), problem="p", **fields):
    values = {"verdict": "CORRECT", "format_ok": True, "language": 1.0, "finished": True}
    return {"prompt_id": problem, "text": " ".join(map(str, ids)), "ids": list(ids)} | values | fields


def rules(**fields):
    return SelectStage.model_validate({"from": "zero", "examples": 1000} | fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"verdict": "WRONG"}, "not_correct"),
        ({"verdict": None}, "not_correct"),
        ({"format_ok": False}, "malformed"),
        ({"finished": False}, "malformed"),
        ({"language": 0.94}, "unreadable"),
        ({"language": None}, "unreadable"),
        ({"ids": range(4)}, "too_short"),
        ({"ids": range(5)}, None),
        ({"ids": range(60)}, None),
        ({"ids": range(61)}, "too_long"),
        ({"ids": [7, 8] * 20}, "repetitive"),
    ],
)
def test_what_is_wrong_with_a_completion_by_itself(fields, reason):
    assert fault(completion(range(30)) | fields, rules(min_tokens=5, max_tokens=60)) == reason


def test_repetition_is_the_share_of_n_grams_that_were_there_before():
    assert repetition([1, 2, 3, 4], 2) == 0
    assert repetition([1, 1, 1, 1], 2) == pytest.approx(2 / 3)
    assert repetition([1, 2] * 20, 20) == pytest.approx(1 - 2 / 21)
    assert repetition([1, 2], 20) == 0
    loop = list(range(50)) + list(range(100, 110)) * 20
    assert repetition(loop, 20) > 0.5 > 0.2 > repetition(list(range(300)) + list(range(40)), 20)


def test_the_same_text_counts_once_per_problem():
    found = choose([completion(problem=p) for p in "abab"], rules(), seed=0)
    assert found.counts == {"good": 2, "repeated": 2}
    assert [row["prompt_id"] for row in found.chosen] == ["a", "b"]


def test_of_many_those_that_differ_most_are_kept():
    alike = [completion([*range(40), 100 + i]) for i in range(6)]
    others = [completion(range(200, 240)), completion(range(300, 340))]
    found = choose([*alike[:5], *others, alike[5]], rules(per_problem=3), seed=0)
    assert [row["ids"][0] for row in found.chosen] == [0, 200, 300]
    assert found.chosen[0] is alike[0]  # of those that are alike the first
    assert found.counts == {"good": 3, "enough_of_problem": 5}


LAKE = st.lists(
    st.tuples(
        st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=8), st.sampled_from(["CORRECT", "WRONG"])
    ),
    max_size=40,
)


@given(LAKE, st.integers(1, 4), st.integers(1, 12), st.integers(0, 5))
def test_nothing_is_lost_nothing_is_too_much_and_the_order_is_that_of_the_lake(lake, limit, examples, seed):
    rows = [completion(ids, f"p{p}", verdict=verdict) for p, ids, verdict in lake]
    config = rules(per_problem=limit, examples=examples, max_repetition=1.0)
    found = choose(rows, config, seed=seed)
    assert sum(found.counts.values()) == len(rows)
    assert len(found.chosen) == min(examples, found.counts["good"])
    assert max(Counter(row["prompt_id"] for row in found.chosen).values(), default=0) <= limit
    places = [next(i for i, row in enumerate(rows) if row is chosen) for chosen in found.chosen]
    assert places == sorted(places)
    assert all(row["verdict"] == "CORRECT" for row in found.chosen)
    distinct = {(row["prompt_id"], row["text"]) for row in rows if row["verdict"] == "CORRECT"}
    per_problem = Counter(problem for problem, _ in distinct)
    assert found.counts["good"] == sum(min(limit, number) for number in per_problem.values())
    assert choose(rows, config, seed=seed) == found


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=12), min_size=4, max_size=12, unique_by=tuple))
def test_what_is_kept_is_no_more_alike_than_the_first_that_came(texts):
    def closest(rows):
        grams = [token_ngrams(row["ids"]) for row in rows]
        return max(overlap(a, b) for a, b in combinations(grams, 2))

    rows = [completion(ids) for ids in texts]
    kept = choose(rows, rules(per_problem=3, max_repetition=1.0), seed=0).chosen
    assert closest(kept) <= closest(rows[:3])


def test_overlap_is_jaccard():
    assert overlap(token_ngrams([1, 2, 3, 4]), token_ngrams([1, 2, 3, 5])) == pytest.approx(1 / 3)
    assert overlap(token_ngrams([1]), token_ngrams([1])) == 1
    assert overlap(token_ngrams([1]), token_ngrams([2])) == 0


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValidationError, match="nothing would be selected"):
        rules(min_tokens=10, max_tokens=9)
    for both in ({"rows": 5, "share": 0.2}, {}):
        with pytest.raises(ValidationError, match="one of the two"):
            rules(mix={"general": both})
    assert rules(mix={"general": {"rows": 5}}).mix == {"general": Amount(rows=5)}
