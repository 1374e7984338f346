"""What is a usable model directory, and what is said when it is not one."""

import json
import shutil

import huggingface_hub
import pytest
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import (
    BUILTIN,
    check_model_directory,
    load_model,
    load_tokenizer,
    locate_model,
    save_model,
)
from r1flow.components.data.chat import TEMPLATES
from r1flow.components.data.tinyworld.model import build_tokenizer
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


@pytest.mark.parametrize("source", ["/no/such/model", "./model", "~/model", "model", "a/b/c"])
def test_what_is_neither_directory_nor_hub_id_is_told_so(source, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("the hub was asked"))
    with pytest.raises(ModelError, match=r"^models\.base\.source: .* is not a directory here"):
        locate_model(source, setting="models.base.source")


@pytest.mark.parametrize(
    "error",
    [
        LocalEntryNotFoundError("cannot reach the hub"),
        OfflineModeIsEnabled("offline"),
        HFValidationError("bad repo id"),
        TimeoutError("slow"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_a_model_error_with_the_mend(error, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ModelError, match=r"hub model org/name \(revision main\) could not be fetched: .*HF_TOKEN"):
        locate_model("org/name")


def test_a_hub_model_is_fetched_at_its_revision_without_any_code_or_pickles(model, monkeypatch, tmp_path):
    asked = {}

    def download(source, **options):
        asked.update(source=source, **options)
        return str(model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert locate_model("org/name", "abc", cache=tmp_path) == model
    assert (asked["source"], asked["revision"], asked["cache_dir"]) == ("org/name", "abc", tmp_path)
    assert not {"*.py", "*.bin", "*.pt", "*"} & set(asked["allow_patterns"])


def test_a_fetched_model_is_checked_too(model, monkeypatch):
    (model / "model.safetensors").unlink()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(model))
    with pytest.raises(ModelError, match="safetensors"):
        locate_model("org/name")


def test_built_in_models_are_found_by_name_and_others_are_listed():
    assert locate_model("builtin:tiny-base") == BUILTIN["tiny-base"]
    with pytest.raises(ModelError, match="no built-in model 'huge'; there are tiny-base, tiny-student"):
        locate_model("builtin:huge")
