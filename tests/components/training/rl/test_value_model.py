"""The value model: one number per state, from the policy's own body, in either form of the batch."""

import random

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.training.rl.forward import packing_pays
from r1flow.components.training.rl.value_model import ValueModel, completion_values
from tests.fakes.tiny import EOS, make_rollout, tiny_model


@pytest.fixture
def model():
    torch.manual_seed(1)
    model = ValueModel(tiny_model())
    torch.nn.init.normal_(model.value_head.linear.weight)
    return model


def groups():
    """Two prompts with four completions each, of uneven lengths."""
    rng = random.Random(3)
    prompts = [[rng.randrange(2, 40) for _ in range(n)] for n in (9, 6)]
    return [make_rollout(p, [rng.randrange(2, 40) for _ in range(3 * i)] + [EOS]) for p in prompts for i in range(4)]


def test_values_start_at_0_whatever_the_policy_knows():
    assert not completion_values(ValueModel(tiny_model()), groups(), pad_id=0).any()


def test_it_holds_the_policys_body_and_no_head_over_the_vocabulary():
    policy = tiny_model()
    body = dict(tiny_model().base_model.named_parameters())
    model = ValueModel(policy)
    assert {name for name, _ in model.named_parameters()} == {
        *(f"base_model.{name}" for name in body),
        "value_head.linear.weight",
        "value_head.linear.bias",
    }
    assert all(torch.equal(p, body[n]) for n, p in model.base_model.named_parameters())
    assert model.get_output_embeddings() is None


def test_a_value_is_that_of_the_state_before_its_token(model):
    rollouts = groups()
    found = completion_values(model, rollouts, pad_id=0)
    expected = []
    for r in rollouts:
        for t in range(len(r.ids)):
            state = torch.tensor([[*r.prompt_ids, *r.ids[:t]]])
            hidden = model.base_model(input_ids=state, use_cache=False).last_hidden_state[0, -1]
            expected.append(model.value_head(hidden[None])[0])
    assert packing_pays(rollouts)
    assert_close(found, torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert float(found.detach().std()) > 0.1


def test_a_value_is_the_same_in_any_company_and_form(model):
    rollouts = groups()
    together = completion_values(model, rollouts, pad_id=0)
    alone = torch.cat([completion_values(model, [r], pad_id=17) for r in rollouts])
    assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_values_of_a_model_in_bfloat16_are_float32(model):
    values = completion_values(model.bfloat16(), groups(), pad_id=0)
    assert values.dtype == torch.float32
    assert values.isfinite().all()
