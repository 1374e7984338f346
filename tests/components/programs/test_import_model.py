"""What the import of a start model leaves, and from which sources."""

import pytest

from r1flow.components.core.artifacts import Policy
from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import load_model, save_model
from r1flow.components.programs.import_model import main
from tests.fakes.gguf_file import small_llama, write_gguf
from tests.fakes.tokenizers import byte_level


@pytest.fixture
def brought(tmp_path):
    def bring(source):
        spec = {"stage": "base", "seed": 0, "config": {"model": {"source": str(source)}}, "run": {"threads": 1}}
        places = {name: str(tmp_path / name) for name in ("out", "work", "store")}
        (tmp_path / "out").mkdir()
        return main({**spec, **places, "checkpoints": "none"}), tmp_path / "out"

    return bring


def test_of_a_gguf_file_the_card_says_that_it_is_dequantised(brought, tmp_path):
    tokenizer = byte_level()
    file = write_gguf(tmp_path / "q8.gguf", small_llama(len(tokenizer)), tokenizer, "q8_0")
    metrics, out = brought(file)
    saved = load_model(Policy(out).model)
    assert metrics["parameters"] == sum(p.numel() for p in saved.parameters())
    assert 8.5 <= metrics["bits_per_weight"] < 9
    card = (out / "card.md").read_text()
    assert "dequantised: architecture llama, tensors in 5 F32 and 16 Q8_0, 8." in card
    assert str(tmp_path) not in card


def test_of_a_directory_there_is_nothing_to_say(brought, tmp_path):
    save_model(small_llama(405), byte_level(), tmp_path / "model")
    metrics, out = brought(tmp_path / "model")
    assert metrics.keys() == {
        "parameters",
        "positions",
        "unserved_by_vllm",
    }  # its heads are too small for vLLM's attention
    assert [path.name for path in out.iterdir()] == ["model"]


def test_a_file_that_does_not_fill_its_model_leaves_nothing(brought, tmp_path):
    tokenizer = byte_level()
    file = tmp_path / "lacks.gguf"

    def without_norm(weights):
        return {name: array for name, array in weights.items() if name != "output_norm.weight"}

    write_gguf(file, small_llama(len(tokenizer)), tokenizer, change=without_norm)
    with pytest.raises(ModelError, match=r"lacks\.gguf: missing tensors: model\.norm\.weight"):
        brought(file)
    assert list((tmp_path / "out").iterdir()) == []
