"""Passes without a gradient: the same numbers however they are cut."""

from torch.testing import assert_close

from r1flow.components.training.rl.frozen import frozen_logprobs, on
from tests.components.training.rl.test_forward import make_rollouts
from tests.fakes.tiny import PAD, tiny_model


def test_frozen_log_probabilities_do_not_depend_on_the_budget():
    model, rollouts = tiny_model(), make_rollouts()
    whole = frozen_logprobs(on(model), rollouts, pad_id=PAD, temperature=1.0, micro_tokens=10**6)
    pieces = frozen_logprobs(on(model), rollouts, pad_id=PAD, temperature=1.0, micro_tokens=20)
    assert [len(p) for p in whole] == [len(r.ids) for r in rollouts]
    for one, other in zip(whole, pieces, strict=True):
        assert_close(one, other, atol=1e-5, rtol=0)
