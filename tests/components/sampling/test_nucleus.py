"""Inverse-CDF draws: the share of a fine grid of uniforms that yields a token is the token's probability."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.sampling.nucleus import draw

LOGITS = torch.tensor([0.5, 2.0, -1.0, 2.0, -30.0, 0.0])


def test_a_number_that_rounds_to_one_draws_the_last_token_that_has_any_mass():
    logits = torch.tensor([[0.0, 1.0, -200.0], [0.0, 1.0, 2.0]])
    token, _ = draw(logits, torch.ones(2, dtype=torch.float64), temperature=1.0, top_p=1.0)
    assert token.tolist() == [1, 2]


def shares(logits, *, temperature, top_p, grid=20_000):
    uniform = (torch.arange(grid, dtype=torch.float64) + 0.5) / grid
    token, _ = draw(logits.expand(grid, -1), uniform, temperature=temperature, top_p=top_p)
    return torch.bincount(token, minlength=len(logits)) / grid


@pytest.mark.parametrize("temperature", [1.0, 0.6, 3.0])
def test_tokens_are_drawn_with_their_probabilities(temperature):
    assert_close(
        shares(LOGITS, temperature=temperature, top_p=1.0), (LOGITS / temperature).softmax(-1), atol=2e-4, rtol=0
    )


def test_a_nucleus_keeps_the_fewest_likely_tokens_that_reach_its_mass():
    probs = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])
    assert_close(
        shares(probs.log(), temperature=1.0, top_p=0.8),
        torch.tensor([0.0, 0.4, 0.0, 0.3, 0.15]) / 0.85,
        atol=2e-4,
        rtol=0,
    )
    assert_close(
        shares(probs.log(), temperature=1.0, top_p=0.65), torch.tensor([0.0, 4, 0, 3, 0]) / 7, atol=2e-4, rtol=0
    )


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=10),
    st.floats(0, 1, exclude_max=True),
    st.floats(1e-6, 1.0),
    st.floats(0.05, 4),
)
def test_what_is_drawn_lies_in_the_nucleus_and_the_likeliest_token_always_does(values, uniform, top_p, temperature):
    logits = torch.tensor([values])
    token, logp = draw(logits, torch.tensor([uniform], dtype=torch.float64), temperature=temperature, top_p=top_p)
    probs = (logits[0] / temperature).softmax(-1)
    likelier = float(probs[probs > probs[token]].sum())
    assert likelier < top_p + 1e-5
    first, _ = draw(logits, torch.zeros(1), temperature=temperature, top_p=1e-9)
    assert probs[first] == probs.max()
    assert float(logp) == pytest.approx(float(probs[token].log()), abs=1e-4)


def test_log_probabilities_are_those_before_the_cut():
    probs = torch.tensor([[0.6, 0.3, 0.1]])
    token, logp = draw(probs.log(), torch.tensor([0.99]), temperature=1.0, top_p=0.7)
    assert (int(token), logp.exp().item()) == (1, pytest.approx(0.3))


def test_temperature_zero_is_greedy_whatever_the_uniform():
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0]])
    for uniform in (0.0, 0.9999999):
        token, logp = draw(logits, torch.full((2,), uniform), temperature=0, top_p=0.3)
        assert token.tolist() == [1, 0]
        assert_close(logp, logits.log_softmax(-1).max(-1).values)


def test_the_ends_of_the_unit_interval_never_reach_a_token_without_mass():
    logits = torch.tensor([[-200.0, 1.0, 1.0, -200.0]]).expand(2, -1)
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert draw(logits, ends, temperature=1.0, top_p=1.0)[0].tolist() == [1, 2]
    assert draw(logits, torch.ones(2), temperature=1.0, top_p=1.0)[0].tolist() == [2, 2]


def test_rows_do_not_know_each_other():
    torch.manual_seed(0)
    logits, uniform = torch.randn(9, 30), torch.rand(9)
    together = draw(logits, uniform, temperature=0.8, top_p=0.9)
    alone = [draw(logits[i : i + 1], uniform[i : i + 1], temperature=0.8, top_p=0.9) for i in range(9)]
    assert together[0].tolist() == [int(t) for t, _ in alone]


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_logits_that_are_not_numbers_give_some_token_whose_log_probability_says_so(top_p):
    token, logp = draw(torch.full((2, 40), torch.nan), torch.tensor([0.0, 0.9]), temperature=1.0, top_p=top_p)
    assert ((token >= 0) & (token < 40)).all()
    assert logp.isnan().all()
