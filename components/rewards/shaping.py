"""Shaping by length and by repetition: pure functions of numbers, added to the other rewards by the recipe's weights.

Lengths are counted in tokens; any unit will do as long as it is the same throughout.
"""

import math
from collections.abc import Hashable, Sequence

import regex

# The characters of scripts that are written without spaces are units of their own.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_UNIT = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[^\s{_UNSPACED}]+")


def soft_overlong(length: int, max_length: int, cache: int) -> float:
    """The soft overlong punishment (DAPO, arXiv 2503.14476, equation 13), in [-1, 0].

    0 up to ``max_length - cache``, then linearly down: ``((max_length - cache) - length) / cache``; -1 from
    ``max_length`` on. DAPO's own metrics are 20480 and 4096. Raises ValueError unless 0 < cache <= max_length.
    """
    if not 0 < cache <= max_length:
        raise ValueError(f"cache must lie in 1..max_length={max_length}, not {cache}")
    return min(0.0, max(-1.0, (max_length - cache - length) / cache))


def cosine_length(
    correct: bool,
    length: int,
    max_length: int,
    *,
    if_correct: tuple[float, float] = (1.0, 0.5),
    if_wrong: tuple[float, float] = (-1.0, -0.5),
    exceeded: float | None = None,
) -> float:
    """The cosine length reward (Yeo et al., arXiv 2502.03373).

    From ``r_0`` at length 0 to ``r_L`` at ``max_length``, as ``r_L + (r_0 - r_L)/2 * (1 + cos(pi * length/max_length))``;
    ``if_correct`` and ``if_wrong`` are ``(r_0, r_L)``. Short correct answers and long wrong ones earn more: a model that
    cannot solve the problem learns to write more. ``exceeded`` is what a length of ``max_length`` or more earns (the
    paper's ``r_e``); None goes on with ``r_L``. The defaults are those of TRL and open-r1. Raises ValueError for a
    ``max_length`` below 1.
    """
    if max_length < 1:
        raise ValueError(f"max_length must be at least 1, not {max_length}")
    if exceeded is not None and length >= max_length:
        return exceeded
    at_zero, at_max = if_correct if correct else if_wrong
    progress = min(1.0, length / max_length)
    return at_max + (at_zero - at_max) / 2 * (1 + math.cos(math.pi * progress))


def repetition_penalty(text: str | Sequence[Hashable], ngram: int = 3, max_penalty: float = -1.0) -> float:
    """``max_penalty * (1 - distinct n-grams / n-grams)``, in [max_penalty, 0]; as in open-r1 and TRL.

    The units of a string are its lower-case words between white space, and the single characters of scripts without
    spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese); those of another sequence, such as token ids, its items. Below
    ``ngram`` units there is nothing to repeat: 0. Raises ValueError for a penalty above 0 or an ``ngram`` below 1.
    """
    if max_penalty > 0:
        raise ValueError(f"max_penalty must not be positive: {max_penalty}")
    if ngram < 1:
        raise ValueError(f"ngram must be at least 1, not {ngram}")
    units = _UNIT.findall(text.lower()) if isinstance(text, str) else text
    total = len(units) - ngram + 1
    if total < 1:
        return 0.0
    distinct = len({tuple(units[start : start + ngram]) for start in range(total)})
    return max_penalty * (1 - distinct / total)


def group_length(correct: Sequence[bool], lengths: Sequence[int]) -> list[float]:
    """The length reward within one group, the completions of one prompt (Kimi k1.5, arXiv 2501.12599).

    ``lambda_i = 0.5 - (len_i - min_len) / (max_len - min_len)`` over all lengths of the group; a correct completion earns
    ``lambda_i``, a wrong one ``min(0, lambda_i)``; all earn 0 where all are equally long. In [-0.5, 0.5].
    Raises ValueError when the two differ in number.
    """
    if len(correct) != len(lengths):
        raise ValueError(f"{len(correct)} verdicts for {len(lengths)} lengths")
    shortest, longest = min(lengths, default=0), max(lengths, default=0)
    if shortest == longest:
        return [0.0] * len(lengths)
    shares = [0.5 - (length - shortest) / (longest - shortest) for length in lengths]
    return [share if right else min(0.0, share) for right, share in zip(correct, shares, strict=True)]
