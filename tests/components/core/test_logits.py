"""Log-probabilities and entropy from hidden states: torch's own as the oracle, chunks as an invisible detail."""

import pytest
import torch
from torch.distributions import Categorical
from torch.testing import assert_close

from r1flow.components.core.logits import Head, token_logprobs


def make_inputs(n=23, d=8, v=50, dtype=torch.float32):
    torch.manual_seed(0)
    hidden = torch.randn(n, d, dtype=dtype, requires_grad=True)
    head = torch.randn(v, d, dtype=dtype, requires_grad=True)
    return hidden, head, torch.randint(v, (n,))


@pytest.mark.parametrize("temperature", [1.0, 0.6, 2.5])
def test_values_are_torchs_log_softmax_and_entropy_at_the_temperature(temperature):
    hidden, head, targets = make_inputs()
    logp, entropy = token_logprobs(hidden, Head(head), targets, temperature=temperature)
    logits = (hidden.detach().double() @ head.detach().double().T) / temperature
    expected = logits.log_softmax(-1).gather(-1, targets[:, None]).squeeze(-1)
    assert_close(logp.detach().double(), expected, atol=1e-5, rtol=0)
    assert_close(entropy.detach().double(), Categorical(logits=logits).entropy(), atol=1e-5, rtol=0)
    assert logp.dtype == entropy.dtype == torch.float32


@pytest.mark.parametrize("chunk_tokens", [1, 7, 22, 23])
def test_chunks_change_neither_value_nor_gradient(chunk_tokens):
    found = []
    for size in (10**6, chunk_tokens):
        hidden, head, targets = make_inputs()
        logp, entropy = token_logprobs(hidden, Head(head), targets, temperature=0.7, chunk_tokens=size)
        (logp * torch.arange(23)).sum().add(entropy.square().sum()).backward()
        found.append((logp.detach(), entropy.detach(), hidden.grad, head.grad))
    for whole, chunked in zip(*found, strict=True):
        assert_close(chunked, whole, atol=1e-4, rtol=1e-5)


def test_gradients_reach_hidden_states_and_head_as_through_cross_entropy():
    hidden, head, targets = make_inputs()
    (-token_logprobs(hidden, Head(head), targets)[0].sum()).backward()
    hidden2, head2, _ = make_inputs()
    torch.nn.functional.cross_entropy(hidden2 @ head2.T, targets, reduction="sum").backward()
    assert_close(hidden.grad, hidden2.grad, atol=1e-5, rtol=1e-5)
    assert_close(head.grad, head2.grad, atol=1e-5, rtol=1e-5)


def test_the_entropy_of_equal_logits_is_log_of_the_vocabulary():
    _, entropy = token_logprobs(torch.zeros(3, 4), Head(torch.randn(16, 4)), torch.tensor([0, 5, 15]))
    assert_close(entropy, torch.full((3,), 16.0).log())


def test_half_precision_hidden_states_give_float32():
    hidden, head, targets = make_inputs(dtype=torch.bfloat16)
    logp, entropy = token_logprobs(hidden, Head(head), targets)
    assert logp.dtype == entropy.dtype == torch.float32


def test_no_tokens_give_no_values():
    hidden, head, targets = make_inputs(n=0)
    assert [t.shape for t in token_logprobs(hidden, Head(head), targets)] == [(0,), (0,)]


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("rows", [None, 1, 5, 22])
def test_values_and_gradients_are_the_plain_ones_to_twelve_digits(rows, temperature):
    weights = torch.arange(23, dtype=torch.float64) / 23
    hidden, head, targets = make_inputs(dtype=torch.float64)
    logp, entropy = token_logprobs(hidden, Head(head), targets, temperature=temperature, chunk_tokens=rows)
    ((logp * weights).sum() + (entropy * weights.flip(0)).sum()).backward()
    hidden2, head2, _ = make_inputs(dtype=torch.float64)
    table = (hidden2 @ head2.T / temperature).log_softmax(-1)
    plain, spread = table.gather(-1, targets[:, None]).squeeze(-1), -(table.exp() * table).sum(-1)
    ((plain * weights).sum() + (spread * weights.flip(0)).sum()).backward()
    for found, expected in ((logp, plain), (entropy, spread), (hidden.grad, hidden2.grad), (head.grad, head2.grad)):
        assert found.dtype == torch.float64
        assert_close(found.detach(), expected.detach(), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("used", [0, 1])
def test_log_probabilities_and_entropy_can_each_be_used_alone(used):
    hidden, head, targets = make_inputs(n=7, v=11, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda h, w: token_logprobs(h, Head(w), targets, temperature=0.8, chunk_tokens=3)[used], (hidden, head)
    )


def test_in_bfloat16_chunks_lose_no_more_than_one_piece_does():
    hidden, head, targets = make_inputs(n=64, dtype=torch.bfloat16)
    exact_hidden, exact_head = (t.detach().double().requires_grad_() for t in (hidden, head))
    token_logprobs(exact_hidden, Head(exact_head), targets)[0].sum().backward()
    gaps = []
    for rows in (64, 1):
        hidden.grad = head.grad = None
        logp, _ = token_logprobs(hidden, Head(head), targets, chunk_tokens=rows)
        logp.sum().backward()
        assert hidden.grad.dtype == head.grad.dtype == torch.bfloat16
        gaps.append(
            [(g - e).norm() / e.norm() for g, e in ((hidden.grad, exact_hidden.grad), (head.grad, exact_head.grad))]
        )
    assert_close(torch.tensor(gaps[1]), torch.tensor(gaps[0]), rtol=0.2, atol=2e-3)


def test_a_head_that_is_frozen_gets_no_gradient():
    hidden, head, targets = make_inputs()
    head.requires_grad_(False)
    token_logprobs(hidden, Head(head), targets, chunk_tokens=4)[0].sum().backward()
    assert head.grad is None
    assert hidden.grad.isfinite().all()
