"""The cases are the whole product of what can change a gradient's computation, and a covering part has every pair."""

from r1flow.components.training.checks.cases import Case, all_cases, by_stage, settings
from tests.fakes.pairwise import covering, pairs


def test_every_algorithm_comes_with_and_without_a_divergence_off_policy_and_grpo_on_policy_too():
    found = settings()
    assert set(found) == {"grpo on-policy"} | {
        name for a in ("grpo", "dr_grpo", "dapo", "gspo", "cispo") for name in (a, f"{a} kl")
    }
    assert all(bool(config.kl_weight) == name.endswith("kl") for name, config in found.items())
    assert [name for name, config in found.items() if config.mini_batches == 1] == ["grpo on-policy"]


def test_the_cases_are_the_whole_product_and_are_told_apart_by_name():
    cases = all_cases((0, 1, 2, 3))
    assert len(cases) == len({case.name for case in cases}) == 4 * 2 * 4 * 11
    assert Case("gspo kl", 16, True, 3).name == "zero 3/packed/16/gspo kl"
    assert Case("dapo", 1, False, None).name == "single/padded/1/dapo"
    assert {stage: len(group) for stage, group in by_stage(cases)} == dict.fromkeys((0, 1, 2, 3), 88)


def test_a_covering_part_is_smaller_and_has_every_pair():
    cases = all_cases((0, 1, 2, 3))
    part = covering(cases)
    assert {p for case in part for p in pairs(case)} == {p for case in cases for p in pairs(case)}
    assert len(part) < len(cases) / 6
