"""A model in a GGUF file: what is read of it, and how a header that means harm ends."""

import shutil
import struct
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.digest import directory_digest
from r1flow.components.core.errors import ModelError
from r1flow.components.core.gguf_header import MAX_ELEMENTS, read_header
from r1flow.components.core.models import load_config, load_model, load_tokenizer, save_model, stored_parameters
from tests.fakes.gguf_file import ARCHITECTURE, field, raw_gguf, small_llama, string, tensor, write_gguf
from tests.fakes.tokenizers import CHATML, byte_level


@pytest.fixture(scope="module")
def tokenizer():
    return byte_level()


@pytest.fixture(scope="module")
def whole(tokenizer):
    return small_llama(len(tokenizer))


@pytest.fixture(scope="module")
def file(tmp_path_factory, whole, tokenizer):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "small.gguf", whole, tokenizer)


def test_a_float32_file_is_the_model_that_it_was_written_from(file, whole):
    loaded = load_model(file)
    assert {str(p.dtype) for p in loaded.parameters()} == {"torch.float32"}
    assert not loaded.training
    ids = torch.arange(30)[None]
    assert torch.equal(loaded(input_ids=ids).logits, whole(input_ids=ids).logits)
    assert load_config(file).model_type == "llama"
    assert stored_parameters(file) == sum(p.numel() for p in whole.parameters())


def test_its_tokenizer_and_template_come_with_it(file, tokenizer):
    loaded = load_tokenizer(file)
    ids = loaded("What is 37+45?\n你好<|im_end|>")["input_ids"]
    assert (ids[-1], loaded.decode(ids)) == (tokenizer.eos_token_id, "What is 37+45?\n你好<|im_end|>")
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert (loaded.eos_token, loaded.chat_template) == ("<|im_end|>", CHATML)
    assert loaded.name_or_path == str(file)


def test_a_quantised_file_is_dequantised_and_saved_as_an_ordinary_model(tmp_path, whole, tokenizer):
    file = write_gguf(tmp_path / "q8.gguf", whole, tokenizer, "q8_0")
    model = load_model(file, dtype="bfloat16")
    save_model(model, load_tokenizer(file), tmp_path / "saved")
    saved = load_model(tmp_path / "saved", dtype="bfloat16")
    assert "quantization_config" not in saved.config.to_dict()
    for (name, p), q, original in zip(model.named_parameters(), saved.parameters(), whole.parameters(), strict=True):
        assert torch.equal(p, q), name
        assert (p.float() - original).abs().max() < original.abs().max() / 60, name
    assert "Q8_0" in str(read_header(file))


def test_what_lies_beside_a_file_is_not_read(file, tmp_path):
    shutil.copy(file, tmp_path / "model.gguf")
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json", "chat_template.jinja"):
        (tmp_path / name).write_text('{"auto_map": {"AutoTokenizer": ["evil.Tokenizer", null]}}')
    assert load_tokenizer(tmp_path / "model.gguf").chat_template == CHATML
    assert load_model(tmp_path / "model.gguf").config.model_type == "llama"


def test_its_digest_is_that_of_its_bytes_whatever_it_is_called(file, tmp_path):
    copy = shutil.copy(file, tmp_path / "other.gguf")
    assert directory_digest(copy) == directory_digest(file) == directory_digest(file, tmp_path / "cache")
    with copy.open("ab") as more:
        more.write(b"\0")
    assert directory_digest(copy) != directory_digest(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda w: {name: a for name, a in w.items() if name != "blk.1.ffn_up.weight"},
            r"missing tensors: model\.layers\.1\.mlp\.up_proj\.weight;",
        ),
        (
            lambda w: {name: a for name, a in w.items() if not name.startswith("blk.0.attn_")},
            r"missing tensors: model\.layers\.0\.input_layernorm\.weight, .*v_proj\.weight;",
        ),
        (lambda w: w | {"output_norm.weight": np.full(32, np.nan)}, r"NaN or infinity in model\.norm\.weight"),
        (lambda w: w | {"blk.0.ffn_up.weight": np.full((64, 32), np.inf)}, r"infinity in model\.layers\.0\.mlp\.up_proj"),
        (lambda w: w | {"blk.1.attn_q.weight": np.ones((16, 32))}, r"layers\.1\.self_attn\.q_proj\.weight is \[16, 32\], not"),
        (lambda w: {n: a for n, a in w.items() if n.startswith("blk.0.")}, r"holds 9,280 numbers, its fields describe .* 31,552"),
        (lambda w: {"token_embd.weight": w["token_embd.weight"]}, r"2 layers from 1 tensors"),
        (lambda w: w | {"rope_freqs.weight": np.ones(4)}, r"makes no use of the tensors rope_freqs\.weight"),
        (lambda w: w | {"blk.0.attn_q.bias": np.ones(32)}, r"makes no use of the tensors blk\.0\.attn_q\.bias"),
    ],
)  # fmt: skip
def test_tensors_that_are_wrong_are_named_as_in_a_directory(tmp_path, whole, tokenizer, change, said):
    file = write_gguf(tmp_path / "bad.gguf", whole, tokenizer, change=change)
    with pytest.raises(ModelError, match=said) as caught:
        load_model(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "more",
    [
        lambda w: w.add_rope_scaling_factor(8.0),
        lambda w: w.add_sliding_window(16),
        lambda w: w.add_logit_scale(0.5),
        lambda w: w.add_attention_scale(0.1),
    ],
)
def test_a_field_that_would_be_left_out_of_the_model_is_refused(tmp_path, whole, tokenizer, more):
    file = write_gguf(tmp_path / "more.gguf", whole, tokenizer, more=more)
    for read in (load_config, load_model):
        with pytest.raises(
            ModelError, match=r"makes no use of the fields llama\.[a-z_.]+; give the model as safetensors"
        ):
            read(file)


def pack(form, *values):
    return struct.pack("<" + form, *values)


NUMBERS = field("x", 9, pack("IQ", 0, 2**62))
HOSTILE = {
    "empty": (b"", "empty"),
    "another file": (raw_gguf(magic=b"PK\3\4"), "begins with"),
    "first version": (raw_gguf(version=1), "version 1"),
    "other byte order": (raw_gguf(version=3 << 24), "version 50331648"),
    "endless tensors": (raw_gguf(count=2**60), "1,152,921,504,606,846,976 tensors"),
    "endless fields": (raw_gguf(num_fields=2**60), "fields; at most"),
    "endless array": (raw_gguf(fields=[ARCHITECTURE, NUMBERS]), f"elements in arrays; at most {MAX_ELEMENTS:,}"),
    "long array": (raw_gguf(fields=[ARCHITECTURE, field("x", 9, pack("IQ", 4, 10**6))]), "cut off at byte"),
    "nested array": (raw_gguf(fields=[ARCHITECTURE, field("x", 9, pack("IQ", 9, 1))]), "an array of the type 9"),
    "long string": (raw_gguf(fields=[field("general.architecture", 8, pack("Q", 2**63))]), "bytes in a string"),
    "no text": (raw_gguf(fields=[field("general.architecture", 8, string(b"\xff\xfe"))]), "utf-8"),
    "unknown type": (raw_gguf(fields=[ARCHITECTURE, field("x", 99, b"")]), "unknown type 99"),
    "field twice": (raw_gguf(fields=[ARCHITECTURE, ARCHITECTURE]), "general.architecture twice"),
    "no architecture": (raw_gguf(fields=[]), "no general.architecture"),
    "alignment": (raw_gguf(fields=[ARCHITECTURE, field("general.alignment", 4, pack("I", 48))]), "alignment of 48"),
    "no alignment": (raw_gguf(fields=[ARCHITECTURE, field("general.alignment", 4, pack("I", 0))]), "alignment of 0"),
    "layers": (raw_gguf(fields=[ARCHITECTURE, field("llama.block_count", 4, pack("I", 2**31))]), "layers from 0 tensors"),
    "tensor twice": (raw_gguf(tensor(), tensor()), "the tensor a twice"),
    "overlapping": (raw_gguf(tensor("a"), tensor("b", offset=32)), "b begins inside a"),
    "out of the file": (raw_gguf(tensor(offset=32)), "a ends 32 bytes behind"),
    "far away": (raw_gguf(tensor(offset=2**63)), "behind the file's end"),
    "large": (raw_gguf(tensor(dimensions=(2**40, 2**40))), "behind the file's end"),
    "unaligned": (raw_gguf(tensor(offset=1)), "no multiple of 32"),
    "dimensions": (raw_gguf(tensor(dimensions=(1,) * 9)), "9 dimensions"),
    "none": (raw_gguf(tensor(dimensions=(0, 4))), r"in the shape \(0, 4\)"),
    "half a block": (raw_gguf(tensor(dimensions=(33,), kind=8)), "Q8_0 in blocks of 32"),
    "quantisation": (raw_gguf(tensor(kind=77)), "77 is not a valid"),
    "cut": (raw_gguf(tensor())[:60], "cut off at byte 60"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_deceives_is_refused_by_name(tmp_path, name):
    content, said = HOSTILE[name]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    for read in (stored_parameters, load_config, load_tokenizer, load_model):
        with pytest.raises(ModelError, match=said) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_field_of_another_type_than_it_should_have_is_a_model_error(tmp_path):
    path = tmp_path / "odd.gguf"
    for value in (field("llama.embedding_length", 8, string("wide")), field("general.name", 4, pack("I", 7))):
        path.write_bytes(raw_gguf(tensor(), fields=[ARCHITECTURE, value]))
        with pytest.raises(ModelError, match=r"odd\.gguf: transformers cannot load it"):
            load_tokenizer(path)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_is_done_to_a_header_it_is_read_or_refused(file, tmp_path_factory, data):
    content = bytearray(file.read_bytes()[:200_000])
    length = 24 + 2000
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, length))
        with_bytes = data.draw(st.binary(min_size=1, max_size=9))
        content[at : at + len(with_bytes)] = with_bytes
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    path = tmp_path_factory.getbasetemp() / "fuzzed.gguf"
    path.write_bytes(content)
    with suppress(ModelError):
        assert read_header(path).bytes <= len(content)
