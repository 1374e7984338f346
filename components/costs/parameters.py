"""Parameter counts of the decoder families that presets use, from their shape alone."""

from r1flow.components.recipe.models import ModelShape


def count_parameters(shape: ModelShape) -> int:
    """Every weight once; tied embeddings count once.

    Per layer: query, key, value and output projections, three MLP projections, two norms; Qwen2 adds biases to query,
    key and value, Qwen3 a norm over each head's query and key, Llama nothing.
    """
    hidden, heads, kv = shape.hidden_size, shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
    attention = 2 * hidden * heads + 2 * hidden * kv
    attention += {"llama": 0, "qwen2": heads + 2 * kv, "qwen3": 2 * shape.head_dim}[shape.family]
    layer = attention + 3 * hidden * shape.intermediate_size + 2 * hidden
    embeddings = shape.vocab_size * hidden * (1 if shape.tied_embeddings else 2)
    return embeddings + shape.num_layers * layer + hidden


def count_value_parameters(shape: ModelShape) -> int:
    """PPO's value model: the body, without an output head of its own, and one number per hidden state."""
    head = 0 if shape.tied_embeddings else shape.vocab_size * shape.hidden_size
    return count_parameters(shape) - head + shape.hidden_size + 1
