"""The metrics of one suite: what evaluation stages log and ``r1 evaluate`` prints."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from r1flow.components.evals.stats import (
    Estimate,
    clustered_share,
    majority_is_correct,
    pass_at_1,
    pass_at_1_by_sample,
    pass_at_k_shares,
)

UPPER = 0.95


@dataclass(frozen=True)
class Sample:
    """What was found out about one completion.

    ``vote`` names its answer (None: no answer), ``language`` is the share of the target language in the thought (None: no
    words), ``length`` its tokens or characters, ``finished`` whether it came to its end (None: not known), ``scored``
    whether its verifier could judge at all.
    """

    correct: bool
    vote: str | None
    format_ok: bool
    language: float | None
    length: int
    finished: bool | None
    reflections: int
    scored: bool


@dataclass(frozen=True)
class Problem:
    """One problem and its samples; ``contaminated`` is what curation found out about it, None where nobody looked."""

    id: str
    level: int | None
    contaminated: bool | None
    samples: tuple[Sample, ...]

    @property
    def correct(self) -> list[bool]:
        return [sample.correct for sample in self.samples]

    @property
    def share(self) -> float:
        """The share of its samples that are correct."""
        return sum(self.correct) / len(self.samples)


def suite_metrics(problems: Sequence[Problem], *, votes: bool = True) -> dict[str, float]:
    """pass@1 with its intervals by problem (``_low``, ``_high``) and by sample, pass@k, cons@k and all that stands beside.

    k is the least number of samples that a problem has; pass@k comes for the powers of two below it too. cons@k takes the
    first k samples, and is left out without ``votes`` (programs are not voted on). What nobody measured is left out.
    """
    k = min(len(problem.samples) for problem in problems)
    correct = [problem.correct for problem in problems]
    total = sum(map(len, correct))
    result = _with_interval("pass_at_1", pass_at_1(correct))
    sampled = pass_at_1_by_sample(correct)
    result |= {"pass_at_1_sample_low": sampled.low, "pass_at_1_sample_high": sampled.high}
    for draws in sorted({2**power for power in range(1, max(k, 1).bit_length())} | {k}):
        if 1 < draws <= k:
            shares = pass_at_k_shares(correct, draws)
            result |= _with_interval(f"pass_at_{draws}", clustered_share(shares, total))
    if votes:
        won = [float(majority_is_correct([s.vote for s in p.samples[:k]], p.correct[:k])) for p in problems]
        result |= _with_interval(f"cons_at_{k}", clustered_share(won, len(problems)))
    samples = [sample for problem in problems for sample in problem.samples]
    return result | _form(problems, samples) | _parts(problems)


def _form(problems: Sequence[Problem], samples: Sequence[Sample]) -> dict[str, float]:
    """Format and language rates, lengths, truncation and the rest that says how the completions look."""
    num = len(samples)
    spoken = [s.language for s in samples if s.language is not None]
    lengths = sorted(s.length for s in samples)
    ended = [s.finished for s in samples if s.finished is not None]
    formed = [sum(s.format_ok for s in p.samples) / len(p.samples) for p in problems]
    return {
        **_with_interval("format", clustered_share(formed, num), sum(s.format_ok for s in samples) / num),
        "language": sum(spoken) / len(spoken) if spoken else 0.0,
        "length": sum(lengths) / num,
        "length_median": float(lengths[(num - 1) // 2]),
        "length_p95": float(lengths[math.ceil(UPPER * num) - 1]),
        **({"truncated": ended.count(False) / len(ended)} if ended else {}),
        "reflection": sum(s.reflections > 0 for s in samples) / num,
        "unscored": sum(not s.scored for s in samples) / num,
        "problems": float(len(problems)),
    }


def _parts(problems: Sequence[Problem]) -> dict[str, float]:
    """pass@1 by level, and of the problems that nobody has seen in training, where that is known."""
    levels: dict[int, list[Problem]] = defaultdict(list)
    for problem in problems:
        if problem.level is not None:
            levels[problem.level].append(problem)
    result = {f"pass_at_1_level_{level}": _pass(found) for level, found in sorted(levels.items())}
    known = [problem for problem in problems if problem.contaminated is not None]
    if known:
        clean = [problem for problem in known if not problem.contaminated]
        result["contaminated"] = float(len(known) - len(clean))
        if clean:
            result |= _with_interval("pass_at_1_clean", pass_at_1([problem.correct for problem in clean]))
    return result


def _pass(problems: Sequence[Problem]) -> float:
    return pass_at_1([problem.correct for problem in problems]).mean


def _with_interval(name: str, found: Estimate, mean: float | None = None) -> dict[str, float]:
    return {name: found.mean if mean is None else mean, f"{name}_low": found.low, f"{name}_high": found.high}
