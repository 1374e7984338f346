"""The numbers of a decoder that memory and time follow from."""

import json
from dataclasses import dataclass
from pathlib import Path

from r1flow.components.costs.parameters import count_parameters, count_value_parameters
from r1flow.components.recipe.models import ModelShape


@dataclass(frozen=True)
class Decoder:
    """``body``: weights that multiply every token, without embeddings and head; of experts the share that a token is sent to.
    ``intermediate``: width of a gated MLP with as many weights as a layer uses for a token. ``queries`` and ``keys``: heads times
    head size; ``cached``: numbers that the sampler keeps per token and layer; ``value``: parameters of PPO's value model;
    ``idle``: those of experts that a token is not sent to. ``positions``: the most tokens of prompt and completion, None where no
    bound is known. ``notes``: what its config does not say, and how it was counted then."""

    parameters: int
    value: int
    body: int
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    queries: int
    keys: int
    cached: int
    head_norms: bool
    idle: int = 0
    positions: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def head(self) -> int:
        return self.vocabulary * self.hidden

    @property
    def active(self) -> int:
        """Parameters that a token uses."""
        return self.parameters - self.idle


DEEPSEEK_V3 = Decoder(
    parameters=671_000_000_000,
    value=671_000_000_000 - 129_280 * 7168 + 7168 + 1,
    body=37_000_000_000 - 129_280 * 7168,
    vocabulary=129_280,
    hidden=7168,
    intermediate=18_432,
    layers=61,
    queries=128 * 192,
    keys=128 * 192,
    cached=512 + 64,
    head_norms=False,
    idle=634_000_000_000,
    positions=163_840,
)
"""DeepSeek-V3 (arXiv 2412.19437, section 4.2): 671 billion parameters, 37 billion of them active; 61 layers of 7,168; one shared
and 8 routed experts of 2,048, together 18,432; latent attention caches 512 + 64 numbers."""


def decoder_of(shape: ModelShape) -> Decoder:
    """A dense decoder's numbers. Norms and biases are left out of ``body``: they multiply no matrix."""
    queries, keys = shape.num_heads * shape.head_dim, shape.num_kv_heads * shape.head_dim
    layer = 2 * shape.hidden_size * (queries + keys) + 3 * shape.hidden_size * shape.intermediate_size
    return Decoder(
        parameters=count_parameters(shape),
        value=count_value_parameters(shape),
        body=shape.num_layers * layer,
        vocabulary=shape.vocab_size,
        hidden=shape.hidden_size,
        intermediate=shape.intermediate_size,
        layers=shape.num_layers,
        queries=queries,
        keys=keys,
        cached=2 * keys,
        head_norms=shape.family == "qwen3",
        positions=shape.positions,
    )


def shape_in(directory: Path) -> ModelShape | None:
    """The shape that the config.json of a shipped model says; None for a family whose shape is not enough to count it."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") not in ("qwen2", "qwen3"):
        return None
    heads = config["num_attention_heads"]
    return ModelShape(
        family=config["model_type"],
        vocab_size=config["vocab_size"],
        hidden_size=config["hidden_size"],
        intermediate_size=config["intermediate_size"],
        num_layers=config["num_hidden_layers"],
        num_heads=heads,
        num_kv_heads=config.get("num_key_value_heads", heads),
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        tied_embeddings=config["tie_word_embeddings"],
        positions=config["max_position_embeddings"],
    )
