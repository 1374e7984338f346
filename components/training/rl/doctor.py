"""A doctor for training runs: what is going wrong, by name, with the metrics that show it and the fix.

Pure: it reads the metrics of steps (rows of ``history.jsonl``) and nothing else. Every rule looks at a window of steps,
because a transient is normal: format may fall to a quarter and come back within twenty steps.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

WINDOW = 10
"""Steps that a metric is averaged over."""

Row = Mapping[str, float]


@dataclass(frozen=True)
class Finding:
    """One cause of trouble."""

    cause: str
    evidence: str
    fix: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.evidence}. {self.fix}"


def diagnose(history: Sequence[Row]) -> list[Finding]:
    """What the last WINDOW steps show, worst first; nothing before there are so many steps (from 1 on)."""
    rows = [row for row in history if row.get("step", 1) > 0]
    if len(rows) < WINDOW:
        return []
    return [*_broken(rows), *_no_signal(rows), *_bad_data(rows), *_runaway(rows)]


def _broken(rows: Sequence[Row]) -> Iterator[Finding]:
    skipped = sum(row.get("skipped", 0) + row.get("value/skipped", 0) > 0 for row in rows[-WINDOW:])
    if skipped:
        yield Finding(
            "gradients that are not finite",
            f"{skipped} of the last {WINDOW} steps had one that was thrown away",
            "Lower learning_rate, and look for a NaN in what the lake holds of those steps",
        )
    apart = _mean(rows, "mismatch_mean")
    if apart > 0.01 and not _mean(rows, "staleness"):  # an older policy's probabilities are others, rightly
        yield Finding(
            "sampler and trainer disagree",
            f"{apart:.3f} nats per token on average; healthy is below 0.005",
            'Sample in the trainer\'s precision, or set correction = "tis" or "sequence_mask"',
        )


def _no_signal(rows: Sequence[Row]) -> Iterator[Finding]:
    idle, solved = _mean(rows, "groups_without_signal"), _mean(rows, "pass_at_1")
    grouped = "value/loss" not in rows[-1]  # PPO compares with values and learns from such groups too
    if grouped and idle > 0.8 and solved < 0.95:
        level = "too easy: take harder ones" if solved > 0.5 else "too hard: take easier ones, or a cold start"
        yield Finding(
            "groups without signal",
            f"{idle:.0%} of the groups have equal rewards throughout, at pass@1 {solved:.2f}",
            f"The problems are {level}; refill_rounds draws further prompts for such groups",
        )
    cut = _mean(rows, "truncated")
    if cut > 0.3:
        yield Finding(
            "completions are cut short",
            f"{cut:.0%} reach max_tokens",
            "Raise max_tokens, give rewards.overlong a weight, or set drop_truncated",
        )


def _bad_data(rows: Sequence[Row]) -> Iterator[Finding]:
    if len(rows) >= 2 * WINDOW and max(row.get("format", 1.0) for row in rows) == 0:
        yield Finding(
            "no completion ever had the format",
            f"0 in {len(rows)} steps",
            "The template may already open <think>, or prompt.format asks for tags that the template does not name",
        )
    unscored = _mean(rows, "unscored")
    if unscored > 0.05:
        yield Finding(
            "completions that could not be scored",
            f"{unscored:.0%} have no reward",
            "Gold answers that the verifier cannot parse, or a verifier that fails: see the lake's rows without reward",
        )


def _runaway(rows: Sequence[Row]) -> Iterator[Finding]:
    divergence = _mean(rows, "kl")
    if divergence > 0.5:
        yield Finding(
            "the policy runs away from its reference",
            f"KL {divergence:.2f} nats per token",
            "Lower learning_rate, raise kl_weight, or refresh the reference (reference_every)",
        )
    clipped = _mean(rows, "clip_ratio/low") + _mean(rows, "clip_ratio/high")
    if clipped > 0.5:  # GSPO clips a third of its completions when all is well
        yield Finding(
            "most of a batch is clipped",
            f"{clipped:.0%} of the tokens",
            "Lower learning_rate or mini_batches: the policy moves too far within one batch of rollouts",
        )
    entropy, first = _mean(rows, "entropy"), _mean(rows[:WINDOW], "entropy")
    solved, best = _mean(rows, "pass_at_1"), max(_mean(rows[:end], "pass_at_1") for end in _ends(rows))
    if entropy < 0.1 * first and solved < 0.9:
        yield Finding(
            "entropy has collapsed",
            f"{entropy:.3f} nats per token after {first:.3f} at the start, at pass@1 {solved:.2f}",
            "Raise clip_high (0.28), add entropy_weight, or lower learning_rate",
        )
    if solved < 0.5 * best:
        yield Finding(
            "the policy has forgotten",
            f"pass@1 {solved:.2f} after {best:.2f}",
            "Go back to an earlier checkpoint with a lower learning_rate",
        )


def _ends(rows: Sequence[Row]) -> range:
    """The ends of all windows."""
    return range(WINDOW, len(rows) + 1)


def _mean(rows: Sequence[Row], name: str) -> float:
    """Of the last WINDOW rows."""
    return sum(row.get(name, 0.0) for row in rows[-WINDOW:]) / len(rows[-WINDOW:])
