"""A random two-layer model of every family that r1flow proves, with each one's windows, caps, sinks, scales and experts."""

import torch
import transformers
from transformers import AutoModelForCausalLM

from r1flow.components.core.head import name_body
from r1flow.components.core.models import attention_for

VOCAB, EOS, PAD = 60, 1, 0
WINDOW = 8
"""Shorter than the rows of the tests."""
BASE = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "eos_token_id": EOS,
    "pad_token_id": PAD,
    "bos_token_id": None,
}
MIXED = ["sliding_attention", "full_attention"]
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
FAMILIES = {
    "llama": ("LlamaConfig", {}),
    "mistral": ("MistralConfig", {"sliding_window": WINDOW}),
    "qwen2": ("Qwen2Config", {"sliding_window": WINDOW, "use_sliding_window": True, "max_window_layers": 1}),
    "qwen3": ("Qwen3Config", {"head_dim": 8}),
    "qwen3_moe": (
        "Qwen3MoeConfig",
        {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    ),
    "mixtral": ("MixtralConfig", {"sliding_window": WINDOW, **EXPERTS}),
    "gemma2": (
        "Gemma2Config",
        {
            "head_dim": 8,
            "sliding_window": WINDOW,
            "query_pre_attn_scalar": 16,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
        },
    ),
    "gemma3_text": (
        "Gemma3TextConfig",
        {"head_dim": 8, "sliding_window": WINDOW, "query_pre_attn_scalar": 16, "layer_types": MIXED},
    ),
    "phi3": ("Phi3Config", {"sliding_window": WINDOW}),
    "olmo2": ("Olmo2Config", {}),
    "granite": (
        "GraniteConfig",
        {"logits_scaling": 8.0, "attention_multiplier": 0.2, "embedding_multiplier": 3.0, "residual_multiplier": 0.5},
    ),
    "cohere2": ("Cohere2Config", {"sliding_window": WINDOW, "layer_types": MIXED, "logit_scale": 0.25}),
    "smollm3": (
        "SmolLM3Config",
        {"sliding_window": WINDOW, "use_sliding_window": True, "layer_types": MIXED, "no_rope_layers": [1, 0]},
    ),
    "glm4": ("Glm4Config", {"head_dim": 8}),
    "gpt_oss": ("GptOssConfig", {"head_dim": 8, "sliding_window": WINDOW, "layer_types": MIXED, **EXPERTS}),
    "deepseek_v3": (
        "DeepseekV3Config",
        {
            "num_key_value_heads": 4,
            "q_lora_rank": 16,
            "kv_lora_rank": 16,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 12,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_group": 2,
            "topk_group": 1,
            "moe_intermediate_size": 16,
            "first_k_dense_replace": 1,
        },
    ),
    "starcoder2": ("Starcoder2Config", {"sliding_window": WINDOW}),
    "gpt_neox": ("GPTNeoXConfig", {}),
    "gpt2": ("GPT2Config", {"n_inner": 48}),
}
UNPROVEN = {
    "phi": ("PhiConfig", {}),
    "cohere": ("CohereConfig", {"logit_scale": 0.0625}),
    "bloom": ("BloomConfig", {"n_head": 4}),
    "falcon": ("FalconConfig", {"alibi": False, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "qwen3_next": (
        "Qwen3NextConfig",
        {
            "head_dim": 8,
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16,
        },
    ),
    "llama4_text": (
        "Llama4TextConfig",
        {
            "head_dim": 8,
            "intermediate_size_mlp": 48,
            "num_local_experts": 4,
            "attention_chunk_size": WINDOW,
            "layer_types": ["chunked_attention", "full_attention"],
            "no_rope_layers": [1, 0],
        },
    ),
    "lfm2": ("Lfm2Config", {"layer_types": ["conv", "full_attention"], "block_ff_dim": 48}),
    "mamba": ("MambaConfig", {"state_size": 8}),
    "rwkv": ("RwkvConfig", {"attention_hidden_size": 32, "context_length": 128}),
}
"""By the plain path, or refused."""


WIDE = {"hidden_size": 128, "initializer_range": 0.1}
"""Heads of 32, the smallest that vLLM's CPU attention has a kernel for."""


def wide_model(family, **changes):
    """A model that vLLM's CPU build can serve, if it serves the family; ``changes`` of its configuration."""
    _, own = FAMILIES[family]
    heads = {"head_dim": 32} if "head_dim" in own else {}
    windows = {"use_sliding_window": False} if family == "qwen2" else {}
    return random_model(family, **(WIDE | heads | windows | changes))


def random_model(family, seed=0, **changes):
    """Seeded and untrained, in evaluation mode; ``changes`` of its configuration."""
    name, own = (FAMILIES | UNPROVEN)[family]
    config = getattr(transformers, name)(**(BASE | own | changes))
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention_for(config)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and "norm" not in name:  # biases begin at 0, sinks anywhere: both have to be seen
                parameter.copy_(torch.linspace(-0.5, 0.5, len(parameter)))
    name_body(model)
    return model
