"""The tiny base: an ordinary Hugging Face model and a tokenizer that loses nothing."""

from random import Random

import pytest
import torch

from r1flow.components.core.models import BUILTIN, load_model, load_tokenizer, save_model
from r1flow.components.data.chat import TEMPLATES, render
from r1flow.components.data.tinyworld.corpus import make_row
from r1flow.components.data.tinyworld.model import SIZES, build_model, build_tokenizer
from r1flow.components.store.models import locate_model


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer((TEMPLATES / "tiny.jinja").read_text())


def build(size, tokenizer):
    torch.manual_seed(0)
    return build_model(size, len(tokenizer), eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id)


def test_every_document_of_the_corpus_survives_the_tokenizer(tokenizer):
    rng = Random(0)
    for _ in range(300):
        problem, completion = make_row(rng, ())
        text = render("tiny", problem.prompt) + completion
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
        assert len(ids) < 120


def test_tags_and_wait_are_one_token_each_and_everything_else_one_per_character(tokenizer):
    ids = tokenizer("<think>wait1+2;a</think>k<eos>", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == [
        "<think>", "wait", "1", "+", "2", ";", "a", "</think>", "k", "<eos>",
    ]  # fmt: skip
    assert tokenizer.convert_tokens_to_ids("z") == tokenizer.unk_token_id
    assert len({tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}) == 3


@pytest.mark.parametrize("size", sorted(SIZES))
def test_models_are_small_and_have_heads_that_every_engine_can_serve(size, tokenizer):
    model = build(size, tokenizer)
    assert model.config.head_dim == 32
    assert sum(p.numel() for p in model.parameters()) < 200_000
    assert model.config.tie_word_embeddings
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_the_shipped_models_are_of_these_shapes_and_speak_this_vocabulary(name, tokenizer):
    directory = locate_model(f"builtin:{name}")
    shipped = {n: p.shape for n, p in load_model(directory).named_parameters()}
    assert shipped == {n: p.shape for n, p in build(name.removeprefix("tiny-"), tokenizer).named_parameters()}
    assert load_tokenizer(directory).get_vocab() == tokenizer.get_vocab()


def test_a_saved_model_comes_back_bit_for_bit(tokenizer, tmp_path):
    model = build("student", tokenizer)
    save_model(model, tokenizer, tmp_path)
    loaded = load_model(tmp_path)
    assert not loaded.training
    for (name, before), (same, after) in zip(model.named_parameters(), loaded.named_parameters(), strict=True):
        assert name == same
        assert torch.equal(before, after)
    again = load_tokenizer(tmp_path)
    text = "<think>37+45=82;waitdh</think>50<eos>"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert again.decode(again(text)["input_ids"]) == text
    assert (again.eos_token_id, again.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
