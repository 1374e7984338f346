"""What every sampler refuses alike: a request that has no room in the model's positions."""

from collections.abc import Sequence

from r1flow.components.core.errors import ConfigError
from r1flow.components.sampling.base import Request, Sampling

DEFAULT_TOKENS = 256


def check_positions(requests: Sequence[Request], sampling: Sampling, positions: int | None) -> None:
    """ConfigError where the longest prompt and ``max_tokens`` behind it exceed ``positions`` (None: no bound is known).

    Beyond them one model computes nonsense without a word, another fails in the middle of a batch, and vLLM cuts the completion
    short.
    """
    if positions is None:
        return
    longest = max((len(request.prompt_ids) for request in requests), default=0)
    if longest + sampling.max_tokens > positions:
        raise ConfigError(
            f"max_tokens: a prompt of {longest:,} tokens and {sampling.max_tokens:,} more exceed the model's {positions:,} "
            "positions; lower max_tokens, shorten the prompt or take a model with a longer context"
        )


def default_tokens(longest: int, positions: int | None) -> int:
    """The most new tokens where nobody has said how many: 256, or what ``positions`` leave behind a prompt of ``longest``.

    >>> default_tokens(100, None), default_tokens(100, 128)
    (256, 28)
    """
    return DEFAULT_TOKENS if positions is None else max(1, min(DEFAULT_TOKENS, positions - longest))
