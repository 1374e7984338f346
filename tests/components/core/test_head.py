"""From hidden states to logits: measured forms, the tokenizer's ids alone, and derivatives in chunks."""

import pytest
import torch
from transformers import AutoModelForCausalLM, GraniteConfig

from r1flow.components.core.errors import ModelError
from r1flow.components.core.head import keep_to
from r1flow.components.core.logits import Form, Head, form_of, head_of, token_logprobs
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from tests.fakes.families import BASE, EOS, PAD, VOCAB, random_model

FORMS = {
    "llama": Form(),
    "gemma2": Form(softcap=3.0),
    "granite": Form(scale=1 / 8),
    "cohere": Form(scale=0.0625),
    "phi": Form(),
}


@pytest.mark.parametrize("family", FORMS)
def test_the_form_is_measured_exactly(family):
    assert form_of(random_model(family)) == FORMS[family]


@pytest.mark.parametrize("scaling", [3.0, 0.7, 1000.0])
def test_a_scale_that_is_no_power_of_two_is_the_configurations_own(scaling):
    model = AutoModelForCausalLM.from_config(GraniteConfig(**BASE, logits_scaling=scaling)).eval()
    assert form_of(model) == Form(scale=1 / scaling)


def test_a_form_is_measured_in_bfloat16_too():
    assert form_of(random_model("gemma2").bfloat16()) == Form(softcap=3.0)


@pytest.mark.parametrize(
    "odd",
    [
        lambda z: z.abs(),
        lambda z: z + torch.arange(VOCAB),
        lambda z: z**3,
        lambda z: z.clamp(min=-1),
        lambda z: z[..., :9],
    ],
)
def test_logits_that_no_form_explains_are_refused_by_name(odd, monkeypatch):
    model = random_model("llama")
    forward = type(model).forward

    def strange(self, *args, **kwargs):
        out = forward(self, *args, **kwargs)
        out.logits = odd(out.logits)
        return out

    monkeypatch.setattr(type(model), "forward", strange)
    with pytest.raises(ModelError, match=r"models of type 'llama' \(LlamaForCausalLM\) cannot be trained or sampled"):
        form_of(model)


def test_measuring_leaves_no_trace():
    model = random_model("gpt2")
    state = torch.random.get_rng_state()
    form_of(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert "forward" not in vars(model.base_model)


KNOWN = {"rows behind the tokenizer's": list(range(50)), "holes": [*range(20), *range(25, 55)]}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("family", ["llama", "gemma2", "phi"])
def test_ids_that_the_tokenizer_does_not_have_are_in_no_distribution(family, known):
    model = random_model(family)
    own = model(input_ids=torch.tensor([[5, 6, 7]])).logits[0].detach()
    keep_to(model, known)
    hidden = model.base_model(input_ids=torch.tensor([[5, 6, 7]])).last_hidden_state[0].detach()
    expected = own[:, known].log_softmax(-1)
    for chunk in (None, 2):
        targets = torch.tensor([known[-1], known[3], known[30]])
        got, entropy = token_logprobs(hidden, head_of(model), targets, chunk_tokens=chunk)
        want = torch.stack([expected[row, known.index(int(t))] for row, t in enumerate(targets)])
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(entropy, -(expected.exp() * expected).sum(-1), atol=1e-5, rtol=1e-5)
    requests = [Request((5, 6, 7), seed) for seed in range(40)]
    drawn = TransformersSampler(model, eos_id=EOS, pad_id=PAD).generate(requests, Sampling(10, temperature=3.0))
    assert {token for completion in drawn for token in completion.ids} <= set(known)


def test_a_tokenizer_that_has_all_ids_changes_nothing():
    model = random_model("llama")
    keep_to(model, list(range(VOCAB)))
    assert form_of(model) == Form()
    assert head_of(model).weight is model.lm_head.weight


@pytest.mark.parametrize("form", [Form(0.25), Form(softcap=2.0), Form(3.0, 1.5), Form(0.5, 2.0, 0, (1, 4))])
@pytest.mark.parametrize("chunk", [None, 3])
def test_derivatives_of_every_form_are_those_of_finite_differences(form, chunk):
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    weight = torch.cat([weight, weight.flip(0) * 0.5])[:7]
    bias = torch.linspace(-1, 1, 7, dtype=torch.float64)
    targets = torch.tensor([0, 2, 6, 3, 5])
    inputs = [t.clone().requires_grad_() for t in (hidden, weight, bias)]

    def both(h, w, b):
        return token_logprobs(h, Head(w, b, form), targets, temperature=0.8, chunk_tokens=chunk)

    assert torch.autograd.gradcheck(both, inputs)
