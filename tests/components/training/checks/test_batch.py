"""The proof's batch has every length, every side of every clip bound, and nothing near one."""

import math

import pytest
import torch

from r1flow.components.programs.rl import loss
from r1flow.components.training.checks.batch import GROUP, LONGEST, SIZE, batch_for, draw_rollouts, exact_logprobs
from r1flow.components.training.checks.cases import settings
from r1flow.components.training.checks.gradient import exact_model
from r1flow.components.training.checks.small import small_model
from r1flow.components.training.rl.loss import Loss


@pytest.fixture(scope="module")
def exact():
    torch.set_num_threads(1)
    return exact_model(small_model())


@pytest.fixture(scope="module")
def rollouts():
    return draw_rollouts(small_model(), seed=0)


def batch(exact, rollouts, objective, *, on_policy=False):
    return batch_for(objective, exact, rollouts, temperature=1.0, on_policy=on_policy, seed=0)


def ratios(exact, trained, objective):
    """The ratios that the loss will see: of tokens, or of completions."""
    moves = [exact_logprobs(exact, t.rollout, 1.0)[0].detach() - t.old_logprobs for t in trained]
    values = torch.stack([m.mean() for m in moves]) if objective.ratio == "sequence" else torch.cat(moves)
    return values.double().exp()


def test_lengths_are_mixed_and_prompts_are_shared(rollouts):
    lengths = {len(r.ids) for r in rollouts}
    assert len(rollouts) == SIZE == 64
    assert {1, LONGEST} <= lengths
    assert len(lengths) > 15
    assert len({r.prompt_ids for r in rollouts}) == SIZE // GROUP
    assert draw_rollouts(small_model(), seed=0) == rollouts != draw_rollouts(small_model(), seed=1)


def test_log_probabilities_of_the_batch_are_a_distributions(exact, rollouts):
    logp, entropy = exact_logprobs(exact, rollouts[1], 0.7)
    assert logp.dtype == entropy.dtype == torch.float64
    assert (logp < 0).all()
    assert ((entropy > 0) & (entropy < math.log(40))).all()


@pytest.mark.parametrize("name", ["grpo", "dapo", "gspo", "cispo"])
def test_ratios_lie_on_both_sides_of_both_bounds_and_near_none(exact, rollouts, name):
    objective = loss(settings()[name])
    found = ratios(exact, batch(exact, rollouts, objective), objective)
    low, high = 1 - objective.clip_low, 1 + objective.clip_high
    assert (found > high).any()
    assert ((found > 1 + 0.1 * objective.clip_high) & (found < high)).any()
    if objective.clip_low < 1:
        assert (found < low).any()
        assert (abs(found - low) > 0.1 * objective.clip_low).all()
    assert (abs(found - high) > 0.1 * objective.clip_high).all()


def test_a_dual_clip_is_reached(exact, rollouts):
    objective = Loss(dual_clip=3.0)
    found = ratios(exact, batch(exact, rollouts, objective), objective)
    assert (found > 3.5).any()
    assert (abs(found - 3.0) > 0.3).all()


def test_one_group_has_no_signal_and_what_the_loss_does_not_use_is_left_out(exact, rollouts):
    trained = batch(exact, rollouts, Loss(), on_policy=True)
    assert [t.advantage == 0 for t in trained] == [True] * GROUP + [False] * (SIZE - GROUP)
    assert all(t.old_logprobs is None and t.ref_logprobs is None for t in trained)
    assert all(t.ref_logprobs is not None for t in batch(exact, rollouts, Loss(kl_weight=0.1)))
