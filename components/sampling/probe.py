"""Whether a model is sampled as it defines itself, found out on the model before anything is spent on it."""

from collections.abc import Sequence

from transformers import PreTrainedModel

from r1flow.components.core.errors import ModelError
from r1flow.components.sampling.base import Request, Sampling
from r1flow.components.sampling.proof import LIMITS, model_logprobs
from r1flow.components.sampling.transformers import TransformersSampler

LENGTHS = (3, 11)
"""Tokens of the prompts: two lengths, so that one of them is padded."""
TOKENS = 6


def probe_sampling(model: PreTrainedModel, ids: Sequence[int], *, eos_id: int, pad_id: int) -> float:
    """The greatest difference, in nats, between a drawn token's log-probability and that of the model's own forward.

    Prompts are made of the tokenizer's ``ids``. Raises :class:`ModelError` where the difference (its mean in bfloat16) is
    beyond what rounding explains, and where the model cannot be sampled at all: an architecture with a memory of its own.
    """
    step = max(1, len(ids) // max(LENGTHS))
    prompts = [tuple(ids[::step][:length]) for length in LENGTHS]
    requests = [Request(prompt, seed) for seed, prompt in enumerate([*prompts, *prompts])]
    name = f"models of type {model.config.model_type!r} cannot be sampled"
    try:
        done = TransformersSampler(model, eos_id=eos_id, pad_id=pad_id).generate(requests, Sampling(TOKENS))
    except Exception as error:  # whatever a stranger's forward pass does not know
        raise ModelError(f"{name}: {type(error).__name__}: {error}") from error
    own = model_logprobs(model)
    apart = [
        abs(a - b)
        for request, completion in zip(requests, done, strict=True)
        for a, b in zip(completion.logprobs, own(request.prompt_ids, completion.ids), strict=True)
    ]
    found = sum(apart) / len(apart) if str(model.dtype).endswith("bfloat16") else max(apart)
    if not found <= LIMITS[model.dtype]:
        raise ModelError(f"{name}: its log-probabilities are {found:.3g} nats from those of its own forward pass")
    return max(apart)
