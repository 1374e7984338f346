import json

import pytest

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.accuracy import full_score
from r1flow.components.rewards.adversarial.cases import Case, Family, text_row
from r1flow.components.rewards.adversarial.certificate import FLOORS
from r1flow.components.rewards.adversarial.certify import as_verifier, certify, judge_cases, make_cases
from r1flow.components.rewards.adversarial.languages import CONSISTENT
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.format import format_reward
from r1flow.components.rewards.language import NaturalLanguage, language_reward
from tests.conftest import need_program
from tests.fakes import broken_verifiers
from tests.fakes.broken_verifiers import sound

NUMBERS = ("integer/", "fraction/", "hedge/", "nothing/", "thought/", "talk/", "negated/", "gold/")


@pytest.fixture(scope="module")
def cases():
    """A part of the mathematics that takes little algebra."""
    return [case for case in make_cases("math") if case.mutation.startswith(NUMBERS)][::2]


def failures(verifier, cases):
    certificate = judge_cases(verifier, "math", cases)
    return {(result.family, mutation) for result in certificate.families for mutation, _ in result.failed}


@pytest.fixture(scope="module")
def baseline(cases):
    return failures(sound, cases)


@pytest.mark.parametrize(
    ("verifier", "mutation"),
    [
        (broken_verifiers.last_number, "thought/never closed, answer behind"),
        (broken_verifiers.any_box, "hedge/two boxes, right first"),
        (broken_verifiers.thoughts_count, "thought/nothing behind"),
        (broken_verifiers.errors_count, "nothing/box not closed"),
        (broken_verifiers.masks_errors, "nothing/box not closed"),
        (broken_verifiers.raises_on_errors, "nothing/box not closed"),
        (broken_verifiers.always_one, "nothing/empty"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_broken_verifier_fails_where_its_hole_is(verifier, mutation, cases, baseline):
    found = failures(verifier, cases)
    assert (Family.ADVERSARIAL, mutation) in found - baseline


def test_a_verifier_that_always_gives_one_fails_every_kind():
    for kind in FLOORS:
        certificate = certify(broken_verifiers.always_one, kind)
        assert not certificate.passed
        shares = {result.family: result.share for result in certificate.families}
        assert shares.pop(Family.EQUIVALENT) == 1.0
        assert set(shares.values()) == {0.0}


def test_a_verifier_that_never_gives_one_fails_every_kind():
    for kind in FLOORS:
        assert not certify(lambda completion, row: Score.of(Verdict.WRONG), kind).passed


def test_what_a_completion_causes_may_not_be_masked_and_a_broken_gold_must_be():
    completion, gold = "<think>a</think>x", text_row("", "math")
    near = Case(Family.NEAR_MISS, "m", text_row("5", "math"), completion)
    unusable = Case(Family.UNUSABLE, "u", gold, completion)
    masked = judge_cases(lambda *_: Score.unusable("no"), "math", [near, unusable])
    infra = judge_cases(lambda *_: Score.of(Verdict.INFRA), "math", [near, unusable])
    assert [result.passed for result in masked.families] == [0, 1]
    assert [result.passed for result in infra.families] == [0, 0]
    assert masked.families[0].worst[0].got == "masked (no)"


def test_a_certificate_is_the_same_again_whatever_the_threads_and_changes_with_a_failure(cases):
    some = cases[:60]
    first = judge_cases(sound, "math", some)
    again = judge_cases(sound, "math", some, threads=3)
    assert first == again
    assert first.tags() == again.tags()
    assert first.digest != judge_cases(broken_verifiers.always_one, "math", some).digest
    assert first.digest != judge_cases(sound, "math", some[1:]).digest


def test_tags_and_examples_are_short_plain_text():
    certificate = certify(broken_verifiers.always_one, "exact")
    tags = certificate.tags()
    assert tags["certificate.exact"] == "failed"
    assert tags["certificate.exact.digest"] == certificate.digest
    assert tags["certificate.exact.equivalent"] == "80/80"
    for result in certificate.families:
        for failure in result.worst:
            assert len(failure.completion) < 2000
            json.dumps(failure.completion).encode()
            failure.completion.encode()  # no lone surrogates


def test_progress_is_told_after_each_case():
    seen = []
    certify(broken_verifiers.always_one, "exact", judged=lambda done, total: seen.append((done, total)))
    assert seen[0] == (1, len(make_cases("exact")))
    assert seen[-1] == (len(make_cases("exact")),) * 2


@pytest.mark.parametrize("style", ["think_answer", "think_answer_strict"])
def test_the_project_s_format_rewards_pass(style):
    certificate = certify(as_verifier(format_reward(style)), "format")
    assert certificate.passed, [result.worst for result in certificate.families]


@pytest.mark.parametrize("style", ["think"])
def test_a_format_reward_of_another_shape_fails(style):
    assert not certify(as_verifier(format_reward(style)), "format").passed


@pytest.mark.parametrize(("kind", "code"), [("language_en", "en"), ("language_zh", "zh")])
def test_the_project_s_language_rewards_pass(kind, code):
    reward = language_reward(NaturalLanguage(code))
    certificate = certify(as_verifier(reward, at_least=CONSISTENT), kind)
    assert certificate.passed, [result.worst for result in certificate.families]


@pytest.mark.parametrize("kind", ["exact", "choice"])
def test_the_project_s_light_verifiers_pass(kind):
    certificate = certify(full_score, kind)
    assert certificate.passed, [result.worst for result in certificate.families]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["math", "code"])
def test_the_project_s_verifiers_pass_everything(kind):
    if kind == "code":
        need_program("bwrap")
    certificate = certify(full_score, kind, threads=2 if kind == "code" else 1)
    assert certificate.passed, [(result.family, result.failed, result.worst) for result in certificate.families]
