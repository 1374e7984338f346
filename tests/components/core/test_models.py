"""What is a usable model directory, and what is said when it is not one."""

import json
import shutil

import pytest

from r1flow.components.core import models
from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import check_model_directory, load_model, load_tokenizer, save_model
from r1flow.components.data.chat import TEMPLATES
from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.store.models import locate_model
from tests.fakes.tiny import tiny_model


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    save_model(tiny_model(), build_tokenizer((TEMPLATES / "tiny.jinja").read_text()), directory)
    return directory


@pytest.fixture
def model(good, tmp_path):
    return shutil.copytree(good, tmp_path / "model")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_complete_directory_is_accepted_as_it_is(model):
    assert locate_model(str(model)) == check_model_directory(model) == model


def test_a_missing_config_is_named(model):
    (model / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        locate_model(str(model))


def test_a_missing_tokenizer_is_named_with_the_mend(model):
    (model / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"no tokenizer .*tokenizer\.save_pretrained"):
        locate_model(str(model))


def test_weights_that_are_no_safetensors_are_refused_with_the_mend(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no \*\.safetensors; convert .*safe_serialization=True"):
        locate_model(str(model))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_model_that_wants_code_of_its_own_to_run_is_refused(model, name):
    edit(model / name, auto_map={"AutoTokenizer": ["evil.Tokenizer", None], "AutoModelForCausalLM": "evil.Model"})
    with pytest.raises(ModelError, match=rf"{name} asks for code of its own \(auto_map\)"):
        locate_model(str(model))


@pytest.mark.parametrize("text", ["{", "[]", '"auto_map"'])
def test_a_broken_config_is_a_model_error(model, text):
    (model / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config\.json is not a JSON object"):
        locate_model(str(model))


def test_a_tokenizer_without_an_end_is_refused(model):
    edit(model / "tokenizer_config.json", eos_token=None)
    with pytest.raises(ModelError, match="no eos_token; completions would never end"):
        load_tokenizer(model)


def test_a_tokenizer_without_padding_pads_with_its_end(model):
    edit(model / "tokenizer_config.json", pad_token=None)
    assert load_tokenizer(model).pad_token_id == load_tokenizer(model).eos_token_id


def test_a_model_is_loaded_ready_for_use_and_in_the_asked_for_type(model):
    loaded = load_model(model, dtype="bfloat16")
    assert not loaded.training
    assert {str(p.dtype) for p in loaded.parameters()} == {"torch.bfloat16"}


def test_a_tokenizer_that_was_read_is_not_read_again(model, monkeypatch):
    tokenizer = load_tokenizer(model)
    monkeypatch.setattr(models, "load_tokenizer", lambda source: pytest.fail("read again"))
    assert load_model(model, tokenizer=tokenizer).config.vocab_size >= len(tokenizer)
