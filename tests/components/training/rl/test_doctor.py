"""The doctor: silent on a healthy run, and for each way to go wrong the cause by name, with metrics and a fix."""

import pytest

from r1flow.components.training.rl.doctor import WINDOW, Finding, diagnose

HEALTHY = {
    "pass_at_1": 0.5,
    "groups_without_signal": 0.2,
    "truncated": 0.02,
    "format": 0.9,
    "unscored": 0.0,
    "entropy": 0.6,
    "kl": 0.01,
    "mismatch_mean": 1e-6,
    "clip_ratio/low": 0.01,
    "clip_ratio/high": 0.01,
    "skipped": 0.0,
}


def history(steps=40, last=WINDOW, **changed):
    """A healthy run whose last steps are not."""
    rows = [HEALTHY | {"step": step} for step in range(1, steps + 1)]
    return rows[: steps - last] + [row | {k.replace("__", "/"): v for k, v in changed.items()} for row in rows[-last:]]


@pytest.mark.parametrize(
    ("changed", "cause", "evidence", "fix"),
    [
        ({"groups_without_signal": 0.9}, "groups without signal", "90% of the groups", "too hard"),
        ({"groups_without_signal": 0.9, "pass_at_1": 0.9}, "groups without signal", "pass@1 0.90", "too easy"),
        ({"truncated": 0.4}, "completions are cut short", "40% reach max_tokens", "Raise max_tokens"),
        ({"unscored": 0.06}, "completions that could not be scored", "6% have no reward", "Gold answers"),
        ({"entropy": 0.01}, "entropy has collapsed", "0.010 nats per token after 0.600", "clip_high"),
        ({"kl": 1.5}, "the policy runs away from its reference", "KL 1.50", "kl_weight"),
        ({"mismatch_mean": 0.02}, "sampler and trainer disagree", "0.020 nats", "correction"),
        ({"clip_ratio__low": 0.3, "clip_ratio__high": 0.3}, "most of a batch is clipped", "60%", "mini_batches"),
        ({"pass_at_1": 0.1}, "the policy has forgotten", "pass@1 0.10 after 0.50", "earlier checkpoint"),
    ],
)
def test_each_cause_is_named_with_its_figures_and_its_mend(changed, cause, evidence, fix):
    findings = diagnose(history(**changed))
    assert [f.cause for f in findings] == [cause]
    assert evidence in findings[0].evidence
    assert fix in findings[0].fix
    assert str(findings[0]).startswith(f"{cause}: ")


def test_an_older_policy_that_samples_rightly_disagrees():
    assert diagnose(history(mismatch_mean=0.02, staleness=1.0)) == []


def test_a_single_thrown_away_gradient_is_told():
    assert [f.cause for f in diagnose(history(last=1, skipped=1.0))] == ["gradients that are not finite"]


def test_a_format_that_never_was_is_told_but_one_that_dips_is_not():
    never = [row | {"format": 0.0} for row in history()]
    assert [f.cause for f in diagnose(never)] == ["no completion ever had the format"]
    assert diagnose(history(format=0.0)) == []
    assert diagnose(never[: 2 * WINDOW - 1]) == []


def test_a_healthy_run_a_short_one_and_a_finished_one_have_no_findings():
    assert diagnose(history()) == []
    assert diagnose([]) == []
    assert diagnose(history(truncated=1.0)[-WINDOW + 1 :]) == []
    assert diagnose(history(groups_without_signal=0.99, pass_at_1=0.99, entropy=0.01)) == []


def test_a_transient_of_a_few_steps_is_none():
    assert diagnose(history(last=2, truncated=0.9, groups_without_signal=1.0, unscored=0.1)) == []


def test_what_stands_before_the_first_step_and_metrics_that_are_missing_do_no_harm():
    assert diagnose([{"step": 0, "preflight/format": 0.0}, *({"step": s} for s in range(1, 30))]) == []


def test_several_causes_come_with_the_worst_first():
    found = diagnose(history(mismatch_mean=1.0, truncated=0.9, kl=3.0))
    assert [f.cause for f in found] == [
        "sampler and trainer disagree",
        "completions are cut short",
        "the policy runs away from its reference",
    ]
    assert all(isinstance(f, Finding) for f in found)


def test_ppo_needs_no_signal_within_groups_and_its_value_model_may_be_thrown_off_too():
    assert diagnose(history(groups_without_signal=0.9, value__loss=0.1)) == []
    (finding,) = diagnose(history(last=1, value__skipped=1.0))
    assert finding.cause == "gradients that are not finite"
