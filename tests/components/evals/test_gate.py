"""When the gate opens, and what it says."""

import pytest

from r1flow.components.evals.gate import decide

FLOORS = {"form": 0.99, "min_pass_at_1": 0.5, "min_format": 0.9, "max_drop": 0.02}


def make_marks(*shares):
    return {f"p{i}": share for i, share in enumerate(shares)}


def test_without_a_champion_the_floors_decide():
    decision = decide(make_marks(1.0, 0.5), None, **FLOORS)
    assert decision.passed
    assert decision.evidence == {"pass_at_1": 0.75, "format": 0.99}
    assert "there is no champion to compare with" in decision.reasons


@pytest.mark.parametrize("changed", [{"form": 0.89}, {"min_pass_at_1": 0.76}, {"form": float("nan")}])
def test_below_a_floor_it_stays_shut(changed):
    assert not decide(make_marks(1.0, 0.5), None, **(FLOORS | changed)).passed


def test_the_interval_and_the_verdict_are_said_and_decide_nothing():
    unsure = decide(make_marks(1.0, 0.5), None, interval=(0.1, 0.9), **FLOORS)
    assert unsure.passed
    assert "pass@1 0.750 (0.100 to 0.900; at least 0.500)" in unsure.reasons
    old = make_marks(*[0.7] * 100)
    better = decide({problem: 0.8 for problem in old}, old, **FLOORS)
    assert better.passed
    assert better.reasons[-1].endswith(": better")
    worse = decide({problem: 0.69 for problem in old}, old, **FLOORS)
    assert worse.passed, "the drop is shown, and it is allowed"
    assert worse.reasons[-1].endswith(": worse")


def test_the_floors_themselves_are_enough():
    assert decide(make_marks(0.5), None, **(FLOORS | {"form": 0.9})).passed


def test_the_whole_interval_must_lie_above_the_allowed_drop():
    old = make_marks(*[0.5, 0.7] * 50)
    same = decide(old, old, **FLOORS)
    assert same.passed
    assert same.evidence["difference"] == same.evidence["difference_low"] == 0
    slightly_worse = {p: v - 0.01 for p, v in old.items()}
    assert decide(slightly_worse, old, **FLOORS).passed
    worse = {p: v - 0.03 for p, v in old.items()}
    assert not decide(worse, old, **FLOORS).passed
    noisy = {p: v + (0.3 if int(p[1:]) % 4 < 2 else -0.3) for p, v in old.items()}  # the same mean, but who knows
    decision = decide(noisy, old, **FLOORS)
    assert decision.evidence["difference"] == pytest.approx(0, abs=1e-12)
    assert decision.evidence["difference_low"] < -0.05
    assert not decision.passed


def test_better_is_not_enough_below_the_floor():
    assert not decide(make_marks(0.4, 0.4), make_marks(0.1, 0.1), **FLOORS).passed


def test_only_problems_that_both_answered_are_compared():
    new = {"a": 1.0, "b": 1.0, "new": 0.0}
    decision = decide(new, {"a": 1.0, "b": 1.0, "old": 0.0}, **FLOORS)
    assert decision.passed
    said = (
        "against the champion on 2 problems: +0.000 (+0.000 to +0.000; at least -0.020): no difference shown at n = 2"
    )
    assert said in decision.reasons


def test_a_champion_of_other_problems_cannot_be_beaten():
    for champion in ({"x": 0.0}, {}):
        decision = decide(make_marks(1.0), champion, **FLOORS)
        assert not decision.passed
        assert any("measured on other problems" in reason for reason in decision.reasons)
