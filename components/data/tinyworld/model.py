"""The small base model: a character tokenizer and an ordinary Qwen3 of under 200 thousand parameters.

Saved as a plain Hugging Face directory, every program treats it like any other model. Head size is 32: vLLM's
CPU attention has no kernel for 16.
"""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from r1flow.components.data.tinyworld.problems import DIGITS, LETTERS, STRING_ALPHABET

SPECIAL = ["<pad>", "<eos>", "<unk>"]
WORDS = ["<think>", "</think>", "wait"]
SIZES = {
    "base": {"hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 2},
    "student": {"hidden_size": 48, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 2},
}


def build_tokenizer(chat_template: str) -> PreTrainedTokenizerFast:
    """A token per character, and one each for ``<think>``, ``</think>`` and ``wait``."""
    symbols = [*SPECIAL, *WORDS, *DIGITS, *LETTERS, *STRING_ALPHABET, *"+=;CRS"]
    vocabulary = {symbol: index for index, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    pattern = Regex("|".join([*SPECIAL, *WORDS, "."]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_max_length=128,
    )
    fast.chat_template = chat_template
    return fast


def build_model(size: str, vocab_size: int, *, eos_id: int, pad_id: int) -> Qwen3ForCausalLM:
    """An untrained model of ``size`` ("base" or "student") in float32; the caller seeds torch first."""
    shape = SIZES[size]
    config = Qwen3Config(
        vocab_size=vocab_size,
        num_key_value_heads=shape["num_attention_heads"],
        head_dim=32,
        max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        initializer_range=0.04,
        eos_token_id=eos_id,
        bos_token_id=None,
        pad_token_id=pad_id,
        dtype="float32",
        **shape,
    )
    return Qwen3ForCausalLM(config)
