"""A GGUF file of a small Llama, as llama.cpp writes them, and raw headers to be broken."""

import json
import struct

import numpy as np
import torch
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFWriter, get_tensor_name_map, quants
from transformers import LlamaConfig, LlamaForCausalLM

TYPES = {"float32": GGMLQuantizationType.F32, "q8_0": GGMLQuantizationType.Q8_0}


def small_llama(vocab):
    """Random; four heads of queries to two of keys, an output head of its own."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).eval()


def write_gguf(path, model, tokenizer, kind="float32", *, change=lambda weights: weights, more=lambda writer: None):
    """``model``'s weights in ``kind`` (norms in float32) with ``tokenizer``; ``change`` takes and gives arrays by the file's
    names, ``more`` adds fields."""
    config, writer = model.config, GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    more(writer)
    _add_tokenizer(writer, tokenizer)
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    weights = {
        f"{names.get_name(name.removesuffix('.weight'))}.weight": _rotated(name, p.detach().numpy(), config.head_dim)
        for name, p in model.named_parameters()
    }
    for name, array in change(weights).items():
        stored = TYPES[kind] if array.ndim == 2 else GGMLQuantizationType.F32
        writer.add_tensor(name, quants.quantize(array.astype(np.float32), stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _rotated(name, array, head_dim):
    """The pairs that llama.cpp rotates lie side by side, those of transformers half a head apart."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return array
    return array.reshape(-1, 2, head_dim // 2, array.shape[1]).swapaxes(1, 2).reshape(array.shape)


def _add_tokenizer(writer, tokenizer):
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]
    special = set(tokenizer.all_special_tokens)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([f"{a} {b}" for a, b in _merges(tokenizer)])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def _merges(tokenizer):
    return json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]


def string(text):
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def field(name, kind, value):
    return string(name) + struct.pack("<I", kind) + value


ARCHITECTURE = field("general.architecture", 8, string("llama"))


def tensor(name="a", dimensions=(32,), kind=0, offset=0):
    return string(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)


def raw_gguf(*tensors, fields=(ARCHITECTURE,), data=128, magic=b"GGUF", version=3, count=None, num_fields=None):
    """A header of these parts, padded to 32 bytes, and ``data`` bytes behind it."""
    head = magic + struct.pack(
        "<IQQ", version, len(tensors) if count is None else count, len(fields) if num_fields is None else num_fields
    )
    head += b"".join((*fields, *tensors))
    return head + b"\0" * (-len(head) % 32) + b"\0" * data
