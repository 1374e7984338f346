"""GRPO's settings: what each algorithm fills in, that reading is repeatable, and what is refused with its reason."""

from itertools import product

import pytest
from pydantic import ValidationError

from r1flow.components.programs.rl import loss, objective
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.ppo import PpoConfig
from r1flow.components.training.rl.loss import Loss

ALGORITHMS = ["grpo", "dr_grpo", "dapo", "gspo", "cispo", "ppo"]


def make(**changed):
    return GrpoConfig.model_validate({"steps": 1, "learning_rate": 1e-3, "max_tokens": 60} | changed)


@pytest.mark.parametrize(
    ("algorithm", "expected", "advantage"),
    [
        ("grpo", Loss(), "group_std"),
        ("dr_grpo", Loss(normalization="constant"), "mean"),
        ("dapo", Loss(normalization="token", clip_high=0.28), "group_std"),
        ("gspo", Loss(ratio="sequence", clip_low=3e-4, clip_high=4e-4), "group_std"),
        ("cispo", Loss(surrogate="cispo", normalization="token", clip_low=1.0, clip_high=4.0), "group_std"),
        ("ppo", Loss(), "gae"),
    ],
)
def test_an_algorithm_fills_in_what_its_paper_sets(algorithm, expected, advantage):
    config = make(algorithm=algorithm)
    found = loss(config)
    assert found == Loss(**(vars(expected) | {"max_tokens": 60, "correction_bounds": found.correction_bounds}))
    assert config.advantage == objective(config).advantage == advantage


def test_what_is_given_comes_before_what_the_algorithm_fills_in():
    config = make(algorithm="dapo", clip_high=0.4, normalization="sequence", advantage="leave_one_out")
    assert (config.clip_high, config.normalization, config.advantage) == (0.4, "sequence", "leave_one_out")


def test_without_an_algorithm_it_is_grpo_on_policy_with_nothing_added():
    assert make() == make(algorithm="grpo")
    plain = objective(make())
    assert plain.loss.correction == "none"
    assert (plain.refill_rounds, plain.drop_truncated, plain.max_mismatch) == (0, False, 0.1)


@pytest.mark.parametrize(
    ("correction", "bounds"), [("tis", (0, 2)), ("icepop", (0.5, 5)), ("sequence_mask", (0, 3)), ("none", None)]
)
def test_a_correction_has_usual_bounds(correction, bounds):
    assert make(correction=correction).correction_bounds == bounds
    if bounds:
        assert loss(make(correction=correction)).correction_bounds == bounds
        assert make(correction=correction, correction_bounds=(0, 1.5)).correction_bounds == (0, 1.5)


@pytest.mark.parametrize(
    ("algorithm", "correction"),
    list(product(ALGORITHMS, ["none", "tis", "sequence_tis", "icepop", "sequence_mask", "geometric_mask"])),
)
def test_settings_read_back_from_a_spec_are_the_same(algorithm, correction):
    config = make(algorithm=algorithm, correction=correction, kl_weight=0.1, mini_batches=2)
    assert GrpoConfig.model_validate(config.model_dump(mode="json")) == config
    assert GrpoConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"algorithm": "gspo", "normalization": "token"}, "'gspo' has one ratio per completion; normalization 'token'"),
        ({"algorithm": "gspo", "normalization": "constant"}, "'gspo' has one ratio per completion"),
        ({"algorithm": "cispo", "normalization": "sequence"}, "'cispo' keeps every token's gradient"),
        (
            {"algorithm": "cispo", "dual_clip": 3.0},
            "dual_clip bounds a ratio that algorithm 'cispo' has capped already",
        ),
        ({"dual_clip": 1.0}, "it must be above 1"),
        ({"dual_clip": 0.5}, "dual_clip 0.5 would silence bad tokens"),
        ({"reference_every": 5}, "reference_every refreshes a reference that kl_weight = 0 never uses"),
        ({"kl_unbiased": True}, "shape a divergence that kl_weight = 0 leaves out"),
        ({"kl_estimator": "k2"}, "shape a divergence that kl_weight = 0 leaves out"),
        ({"kl_estimator": "k1", "kl_weight": 0.1}, "'k1' has an expected gradient of 0 as a loss term"),
        ({"correction_bounds": (0.5, 2.0)}, "correction_bounds belong to a correction, and correction is 'none'"),
        ({"correction": "icepop", "correction_bounds": (2.0, 5.0)}, "must enclose 1"),
        ({"correction": "icepop", "correction_bounds": (0.0, 0.9)}, "must enclose 1"),
        ({"correction": "tis", "correction_bounds": (0.5, 2.0)}, "correction 'tis' only cuts off above; 0.5 must be 0"),
        ({"correction": "sequence_tis", "correction_bounds": (0.5, 2.0)}, "only cuts off above"),
        ({"ppo": {"lam": 0.95}}, "ppo holds settings of a value model, and algorithm 'grpo' has none"),
        ({"algorithm": "dapo", "ppo": {}}, "algorithm 'dapo' has none"),
        (
            {"algorithm": "ppo", "advantage": "group_std"},
            "algorithm 'ppo' and advantage 'group_std' exclude each other",
        ),
        ({"algorithm": "dapo", "advantage": "gae"}, "algorithm 'dapo' and advantage 'gae' exclude each other"),
        ({"algorithm": "ppo", "kl_weight": 0.1, "kl_unbiased": True}, "algorithm 'ppo' has it in the reward"),
        ({"algorithm": "ppo", "kl_weight": 0.1, "kl_estimator": "k2"}, "kl_estimator shapes a divergence in the loss"),
        ({"algorithm": "ppo", "kl_unbiased": True}, "shape a divergence that kl_weight = 0 leaves out"),
        ({"algorithm": "ppo", "refill_rounds": 1}, "'ppo' compares with values, not within groups"),
        ({"algorithm": "ppo", "reference_every": 5}, "kl_weight = 0 never uses"),
        ({"algorithm": "ppo", "ppo": {"lam": 1.1}}, "lam"),
        ({"algorithm": "ppo", "ppo": {"gamma": 0.0}}, "gamma"),
        ({"algorithm": "ppo", "ppo": {"lambda": 0.9}}, "lambda"),
        ({"mini_batches": 513}, r"mini_batches \(513\) is more than the completions of one step"),
        ({"staleness": 1, "steps": 9, "correction": "none"}, "correction 'none' would take it for the policy's own"),
        ({"staleness": 1, "steps": 9, "refill_rounds": 2}, "staleness and refill_rounds exclude each other"),
        ({"staleness": 2, "steps": 2}, r"staleness \(2\) is not below steps \(2\)"),
        ({"staleness": 1, "steps": 9, "algorithm": "ppo"}, "staleness and algorithm 'ppo' exclude each other"),
        ({"staleness": -1}, "staleness"),
        ({"samples_per_prompt": 1}, "samples_per_prompt"),
        ({"refill_rounds": -1}, "refill_rounds"),
        ({"algorithm": "reinforce"}, "algorithm"),
        ({"mixture": {"main": 0.0}}, "mixture needs one skill with a weight above 0"),
        ({"reward_gates": {"tone": "accuracy"}}, "reward_gates names tone, which is no reward of this stage"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_reason(changed, reason):
    with pytest.raises(ValidationError, match=reason):
        make(**changed)


def test_ppo_is_one_switch_and_its_divergence_is_no_part_of_the_loss():
    config = make(algorithm="ppo", kl_weight=0.01)
    assert config.ppo == PpoConfig() == make(algorithm="ppo", ppo=None).ppo
    assert loss(config).kl_weight == 0
    assert make(algorithm="ppo", ppo={"lam": 0.95}).ppo == PpoConfig(lam=0.95)
    assert make().ppo is None


@pytest.mark.parametrize(
    "changed",
    [
        {"algorithm": "ppo", "kl_weight": 0.1, "reference_every": 4, "dual_clip": 3.0, "drop_truncated": True},
        {"kl_estimator": "k1", "kl_weight": 0.1, "kl_unbiased": True},
        {"algorithm": "cispo", "normalization": "constant"},
        {"algorithm": "grpo", "clip_low": 10.0, "clip_high": 10.0, "dual_clip": 3.0},
        {"samples_per_prompt": 2, "advantage": "leave_one_out", "refill_rounds": 4},
    ],
)
def test_what_merely_looks_odd_is_allowed(changed):
    make(**changed)


def test_rollouts_of_an_older_policy_are_corrected_unless_something_else_is_said():
    stale = make(staleness=1, steps=9)
    assert (stale.correction, stale.correction_bounds) == ("tis", (0.0, 2.0))
    assert (objective(stale).staleness, objective(stale).loss.correction) == (1, "tis")
    assert GrpoConfig.model_validate(stale.model_dump(mode="json")) == stale
    assert make(staleness=1, steps=9, correction="icepop").correction_bounds == (0.5, 5.0)
    assert make().staleness == objective(make()).staleness == 0
