"""A tokenizer that loses part of a text is refused, or read as its own file describes it."""

import json
import logging
import shutil

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import BUILTIN, load_tokenizer
from r1flow.components.core.round_trip import PROBES, first_loss
from tests.fakes.tokenizers import TEXTS, blank_first, byte_level


def changed(change):
    tokenizer = byte_level()
    change(tokenizer.backend_tokenizer)
    return tokenizer


def words(tokenizer, **special):
    """A vocabulary of characters, put together with nothing between them."""
    symbols = sorted(set("".join(PROBES)) - {" "})
    core = Tokenizer(models.WordLevel({s: i for i, s in enumerate([*special.values(), *symbols])}, **tokenizer))
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Split("", "isolated")])
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def bytes_without_an_alphabet():
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.train_from_iterator(
        ["plain words"], trainers.BpeTrainer(vocab_size=60, special_tokens=["</s>"], show_progress=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")


@pytest.mark.parametrize(
    "tokenizer", [byte_level(), blank_first(), blank_first("first"), *map(load_tokenizer, BUILTIN.values())]
)
def test_tokenizers_that_give_texts_back_are_taken(tokenizer):
    assert first_loss(tokenizer) is None


def test_the_composed_form_is_the_same_text():
    assert first_loss(changed(lambda core: setattr(core, "normalizer", normalizers.NFC()))) is None


LOSSES = {
    "lower case": lambda: changed(lambda core: setattr(core, "normalizer", normalizers.Lowercase())),
    "no accents": lambda: changed(
        lambda core: setattr(core, "normalizer", normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]))
    ),
    "single blanks": lambda: changed(lambda core: setattr(core, "normalizer", normalizers.Replace("  ", " "))),
    "no line ends": lambda: changed(lambda core: setattr(core, "normalizer", normalizers.Replace("\n", " "))),
    "a blank before": lambda: changed(
        lambda core: setattr(core, "pre_tokenizer", pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False))
    ),
    "no blanks at all": lambda: words({}, eos_token="</s>"),
    "unknown bytes dropped": bytes_without_an_alphabet,
}


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_tokenizer_that_loses_something_is_refused_with_what_it_made_of_what(loss, tmp_path):
    LOSSES[loss]().save_pretrained(tmp_path)
    with pytest.raises(ModelError) as said:
        load_tokenizer(tmp_path)
    assert str(said.value).startswith(f"{tmp_path}: the tokenizer does not give a text back: of ")
    assert " it makes " in str(said.value)
    assert "tokenizer_class = " in str(said.value)
    assert str(said.value).endswith("give another model")


def test_probes_with_characters_that_a_tokenizer_does_not_know_are_left_out():
    known = words({"unk_token": "<unk>"}, unk_token="<unk>", eos_token="</s>")
    assert first_loss(known) is not None  # it has the characters and loses blanks
    core = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "a": 2}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    assert first_loss(PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", eos_token="</s>")) is None


@pytest.mark.parametrize(("asked", "begun"), [(True, [0]), (False, []), (None, []), ("yes", [])])
def test_a_file_for_a_class_that_begins_texts_with_bos_begins_them_so(asked, begun, tmp_path):
    byte_level().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<|endoftext|>", "add_bos_token": asked}
    config.pop("backend", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    tokenizer = load_tokenizer(tmp_path)
    bare = tokenizer("x = 1", add_special_tokens=False)["input_ids"]
    assert tokenizer("x = 1")["input_ids"] == begun + bare
    tokenizer.save_pretrained(tmp_path / "saved")
    shutil.copy(tmp_path / "config.json", tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved")("x = 1")["input_ids"] == begun + bare


@pytest.mark.parametrize("named", ["LlamaTokenizerFast", "LlamaTokenizer", "GemmaTokenizerFast"])
def test_where_a_class_makes_another_tokenizer_the_file_counts(named, tmp_path, caplog):
    byte_level().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text()) | {"tokenizer_class": named}
    config.pop("backend", None)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with caplog.at_level(logging.WARNING):
        tokenizer = load_tokenizer(tmp_path)
    for text in (*PROBES, *TEXTS):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    assert (tokenizer.eos_token, bool(tokenizer.chat_template)) == ("<|im_end|>", True)
    saved = tmp_path / "saved"
    tokenizer.save_pretrained(saved)
    shutil.copy(tmp_path / "config.json", saved)
    assert first_loss(load_tokenizer(saved)) is None
