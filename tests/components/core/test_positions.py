"""A model's bound, under the name that its family has for it, with what its RoPE scaling adds."""

import pytest
from transformers import (
    BloomConfig,
    FalconConfig,
    Gemma3Config,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MptConfig,
    Qwen2Config,
    XLNetConfig,
)

from r1flow.components.core.positions import known_positions

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "original_max_position_embeddings": 8192,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        (LlamaConfig(max_position_embeddings=128), 128),
        (GPT2Config(n_positions=64), 64),
        (Gemma3Config(text_config={"max_position_embeddings": 4096}), 4096),
        (LlamaConfig(max_position_embeddings=131072, rope_scaling=LLAMA3), 131072),
        (Qwen2Config(max_position_embeddings=32768, rope_scaling=YARN), 131072),
        (Qwen2Config(max_position_embeddings=131072, rope_scaling=YARN), 131072),
        (LlamaConfig(max_position_embeddings=4096, rope_scaling={"rope_type": "linear", "factor": 4.0}), 16384),
        (LlamaConfig(max_position_embeddings=2048, rope_scaling={"rope_type": "dynamic", "factor": 2.0}), 4096),
        (BloomConfig(), None),
        (MptConfig(), None),
        (MambaConfig(), None),
        (XLNetConfig(), None),
        (FalconConfig(alibi=True), None),
        (FalconConfig(), 2048),
    ],
)
def test_the_bound_of_a_family(config, positions):
    assert known_positions(config) == positions
