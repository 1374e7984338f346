"""Which models vLLM's CPU build serves as they define themselves, and with new weights in a running engine, by config alone.

Imports neither vLLM nor torch: a recipe is refused before anything starts.
"""

from typing import Any

UNSERVED = "unserved_by_vllm"
"""The metric that a start model's artifact has where vLLM's CPU build cannot sample it."""
SERVED = frozenset(
    {
        *("cohere2", "gemma2", "gemma3_text", "glm4", "gpt2", "granite", "llama", "mistral", "olmo2"),
        *("phi3", "qwen2", "qwen3", "smollm3", "starcoder2"),
    }
)
"""Proven family by family (the column vLLM in the table of ARCHITECTURE.md)."""
EXPERTS = frozenset({"deepseek_v3", "gpt_oss", "mixtral", "qwen3_moe"})
"""vLLM rearranges experts when it loads them. Into a running engine it loads new ones wrongly, or not at all."""
OTHERWISE = frozenset({"gpt_neox"})
"""vLLM is nats off with these, and says nothing."""
HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
"""Sizes of heads that its attention has kernels for."""


def unserved(config: Any) -> str:
    """Why vLLM's CPU build is no sampler for the model of ``config`` (a ``PretrainedConfig``); "" where it is one."""
    family = str(config.model_type)
    if family in EXPERTS:
        return f"it does not renew the experts of {family} in a running engine"
    if family in OTHERWISE:
        return f"it gives {family} other log-probabilities than the model itself"
    if family not in SERVED:
        return f"{family} is not among the families that it is proven to serve"
    if family == "qwen2" and len(set(getattr(config, "layer_types", None) or ())) > 1:
        return "it refuses a Qwen 2 with windows in some of its layers"
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if size not in HEADS:
        return f"it has no attention for heads of {size}, but for {', '.join(map(str, HEADS))}"
    return ""


def refusal(why: str, model: str) -> str:
    """The message about a recipe that asks for it."""
    return f"run.sampler: vLLM's CPU build cannot serve {model}: {why}; set run.sampler = 'transformers'"


def as_defined(config: Any) -> dict[str, Any]:
    """The settings of ``config`` that vLLM has to be told otherwise, to compute what transformers computes.

    In Cohere 2 it lets a token see one more before it than the window has: there the trainer's window is the shorter one.
    """
    if config.model_type == "cohere2" and config.sliding_window:
        return {"sliding_window": config.sliding_window - 1}
    return {}
