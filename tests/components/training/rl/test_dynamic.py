"""Dynamic sampling: as many groups with signal as were wanted, or the bound."""

from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.training.rl.dynamic import fill_groups, teaches
from tests.fakes.tiny import make_rollout


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
