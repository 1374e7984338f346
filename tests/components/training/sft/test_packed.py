"""Documents in one row: the logits, the loss and the gradient of each alone, and nothing of its neighbours."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from r1flow.components.core.attention import open_attention, packed_states
from r1flow.components.core.models import BUILTIN_MODELS, load_model
from r1flow.components.training.sft.example import Example
from r1flow.components.training.sft.loss import packed_nll, summed_nll
from r1flow.components.training.sft.packed import ALIKE, Documents, _alike
from tests.fakes.tiny import grouped_query_model, in_float64, plain_logprobs, tiny_model

LENGTHS = (2, 3, 3, 17, 9, 40, 2, 31)


def shipped(name):
    return load_model(BUILTIN_MODELS / name).eval()


BUILDERS = [tiny_model, grouped_query_model, lambda: shipped("base"), lambda: shipped("student")]
NAMES = ["random", "grouped query", "base", "student"]


def documents(lengths=LENGTHS, seed=1):
    rng = random.Random(seed)
    return [
        Example(tuple(rng.randrange(2, 26) for _ in range(n)), 0 if i % 3 == 0 else rng.randint(1, n - 1))
        for i, n in enumerate(lengths)
    ]


def logits(model, examples):
    """For every example the logits behind each of its tokens but the last, from the packed row."""
    layout = Documents.of(examples, model.device)
    states = packed_states(model, layout.ids, layout.positions, layout.attend)
    rows = (states @ model.get_output_embeddings().weight.T).split(sorted(len(e.ids) - 1 for e in examples))
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids))
    return [rows[order.index(i)] for i in range(len(examples))]


def gradient(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.fixture(params=BUILDERS, ids=NAMES)
def model(request):
    model = request.param()
    assert open_attention(model)
    return model


@torch.no_grad()
def test_every_documents_logits_are_those_it_has_alone(model):
    """Within 1e-5 of the largest logit: float32 sums in another order, as the float64 test below shows."""
    for example, found in zip(documents(), logits(model, documents()), strict=True):
        alone = model(input_ids=torch.tensor([example.ids]), use_cache=False).logits[0, :-1]
        assert_close(found, alone, atol=1e-5 * float(alone.abs().max()), rtol=0)


def test_loss_and_gradient_are_those_of_the_documents_alone(model):
    examples = documents()
    alone = sum(summed_nll(model, [e], pad_id=0) for e in examples)
    packed = packed_nll(model, examples)
    assert packed.item() == pytest.approx(alone.item(), rel=1e-5)
    expected, found = gradient(model, alone), gradient(model, packed_nll(model, examples))
    assert (found - expected).norm() / expected.norm() <= 1e-5


@pytest.mark.parametrize("build", BUILDERS[:2], ids=NAMES[:2])
def test_both_forms_agree_to_twelve_digits_in_float64(build):
    model, examples = in_float64(build()), documents()
    open_attention(model)
    padded, packed = summed_nll(model, examples, pad_id=0), packed_nll(model, examples)
    assert_close(packed, padded, atol=0, rtol=1e-12)
    expected, found = gradient(model, padded), gradient(model, packed_nll(model, examples))
    assert (found - expected).norm() / expected.norm() <= 1e-12


@torch.no_grad()
@pytest.mark.parametrize("changed", range(len(LENGTHS)))
def test_another_document_changes_nothing_at_all(model, changed):
    examples = documents()
    before = logits(model, examples)
    other = Example(tuple(27 - token for token in examples[changed].ids), examples[changed].num_context)
    after = logits(model, [*examples[:changed], other, *examples[changed + 1 :]])
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        assert torch.equal(old, new) == (index != changed)


@torch.no_grad()
def test_the_first_tokens_of_a_row_are_the_first_of_their_documents(model):
    layout = Documents.of(documents(), model.device)
    assert (layout.positions == 0).sum() == len(LENGTHS)
    assert len(layout.ids) == sum(LENGTHS) - len(LENGTHS)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 200), min_size=1, max_size=12), st.integers(0, 10**6))
def test_any_mixture_of_lengths_gives_the_sum_of_its_parts(lengths, seed):
    model = tiny_model()
    open_attention(model)
    examples = documents(lengths, seed)
    with torch.no_grad():
        expected = -sum(sum(plain_logprobs(model, e.ids[: max(1, e.num_context)], _trained(e))) for e in examples)
        assert packed_nll(model, examples).item() == pytest.approx(expected, rel=1e-5)


def _trained(example):
    return example.ids[max(1, example.num_context) :]


def test_spans_within_a_document_are_left_out(model):
    ids = tuple(range(2, 22))
    holes = Example(ids, 3, ((6, 9), (15, 16)))
    assert [i for i, chosen in enumerate(holes.trained) if chosen] == [3, 4, 5, *range(9, 15), *range(16, 20)]
    expected = -sum(p for i, p in enumerate(plain_logprobs(model, ids[:1], ids[1:]), 1) if holes.trained[i])
    assert packed_nll(model, [holes]).item() == pytest.approx(expected, rel=1e-5)
    assert summed_nll(model, [holes], pad_id=0).item() == pytest.approx(expected, rel=1e-5)


def test_attention_is_never_padded_to_more_than_twice_a_long_documents_length():
    sizes = sorted((i * 37) % 900 + 1 for i in range(60))
    groups = _alike([(0, size) for size in sizes])
    assert [size for group in groups for _, size in group] == sizes
    assert all(group[-1][1] <= max(ALIKE, 2 * group[0][1]) for group in groups)
    assert len(groups) <= 6


def test_layers_that_are_computed_again_in_the_backward_pass_see_the_same():
    model, examples = tiny_model(), documents()
    open_attention(model)
    usual = gradient(model, packed_nll(model, examples))
    model.train()
    model.gradient_checkpointing_enable()
    assert_close(gradient(model, packed_nll(model, examples)), usual, atol=1e-5, rtol=1e-5)
