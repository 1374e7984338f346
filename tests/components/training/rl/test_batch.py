"""The data order: a pure function of (seed, step) that passes over every prompt before it repeats one.

Dynamic sampling: as many groups with signal as were wanted, or the bound."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.training.rl.batch import apportion, fill_groups, prompts_of_step, teaches
from tests.fakes.tiny import make_rollout


def make_pool(skill, size):
    return [
        Row(id=f"{skill}-{i}", prompt=str(i), answer="0", verifier="exact", skill=skill, source="test")
        for i in range(size)
    ]


POOLS = {"sum": make_pool("sum", 10), "string": make_pool("string", 3)}


def ids_of(step, *, mixture=None, num=4, seed=0, pools=None):
    rows = prompts_of_step(pools or POOLS, mixture or {"sum": 1.0}, step=step, num=num, seed=seed)
    return [row.id for row in rows]


def test_a_step_can_be_asked_for_in_any_order_and_gives_the_same_prompts():
    forwards = [ids_of(step) for step in range(1, 9)]
    assert [ids_of(step) for step in range(8, 0, -1)] == forwards[::-1]
    assert forwards != [ids_of(step, seed=1) for step in range(1, 9)]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 23), st.integers(1, 9), st.integers(0, 3))
def test_no_prompt_comes_again_before_every_other_came_once(size, num, seed):
    pools = {"sum": make_pool("sum", size)}
    walked = [i for step in range(1, 2 * size + 2) for i in ids_of(step, num=num, seed=seed, pools=pools)]
    for start in range(0, len(walked) - size + 1, size):
        assert len(set(walked[start : start + size])) == size


def test_unshuffled_a_pool_is_walked_in_its_own_order_again_and_again():
    walked = [
        row.id
        for step in range(1, 6)
        for row in prompts_of_step(POOLS, {"sum": 1.0}, step=step, num=4, seed=0, shuffled=False)
    ]
    assert walked == [f"sum-{i % 10}" for i in range(20)]


def test_epochs_differ_in_their_order():
    epochs = [ids_of(step, num=10) for step in (1, 2, 3)]
    assert len({tuple(e) for e in epochs}) == 3
    assert len({frozenset(e) for e in epochs}) == 1


def test_each_skill_gets_its_share_and_walks_its_own_pool():
    mixture = {"sum": 0.75, "string": 0.25}
    counts = Counter(i.split("-")[0] for i in ids_of(1, mixture=mixture, num=8))
    assert counts == {"sum": 6, "string": 2}
    strings = [i for step in (1, 2, 3) for i in ids_of(step, mixture=mixture, num=8) if i.startswith("string")]
    assert len(set(strings[:3])) == len(set(strings[3:])) == 3


def test_a_skill_without_rows_is_named_unless_its_share_is_nothing():
    with pytest.raises(DataError, match=r"'code'.*\['string', 'sum'\]"):
        ids_of(1, mixture={"sum": 1.0, "code": 1.0})
    assert len(ids_of(1, mixture={"sum": 1.0, "code": 0.0})) == 4


def test_largest_remainders_are_rounded_up():
    assert apportion({"a": 1.0, "b": 1.0, "c": 1.0}, 32) == {"a": 11, "b": 11, "c": 10}
    assert apportion({"a": 0.6, "b": 0.25, "c": 0.15}, 7) == {"a": 4, "b": 2, "c": 1}


@settings(deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=8).filter(
        lambda mixture: sum(mixture.values()) > 1e-6
    ),
    st.integers(1, 5000),
)
def test_shares_add_up_to_the_whole_and_lie_within_one_of_the_exact_share(mixture, num):
    counts = apportion(mixture, num)
    assert sum(counts.values()) == num
    total = sum(mixture.values())
    for skill, weight in mixture.items():
        assert abs(counts[skill] - num * weight / total) < 1 + 1e-6
        assert counts[skill] == 0 or weight > 0


def group(*rewards):
    return tuple(make_rollout([2], [3], reward=r) for r in rewards)


def test_a_group_teaches_when_two_scored_rewards_differ():
    assert teaches(group(1.0, 0.0, 0.0, 0.0))
    assert not teaches(group(0.1, 0.1, None))
    assert not teaches(group(None, 1.0))


def test_without_rounds_the_steps_own_groups_are_all():
    assert fill_groups(lambda number, num: [group(1.0, 1.0)] * num, 3, 0) == [group(1.0, 1.0)] * 3


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=80), st.integers(1, 8), st.integers(0, 6))
def test_never_more_signal_than_wanted_and_never_more_rounds_than_allowed(signals, wanted, rounds):
    asked = []

    def draw(number, num):
        start = sum(n for _, n in asked)
        asked.append((number, num))
        return [group(1.0, 0.0 if i < len(signals) and signals[i] else 1.0) for i in range(start, start + num)]

    groups = fill_groups(draw, wanted, rounds)
    good = sum(map(teaches, groups))
    assert [number for number, _ in asked] == list(range(len(asked)))
    assert asked[0] == (0, wanted)
    assert len(asked) <= rounds + 1
    assert good <= wanted
    assert good == wanted or len(asked) == rounds + 1
    assert len(groups) == sum(n for _, n in asked)
