"""The promotion gate: thresholds, and a paired comparison with the reigning champion."""

from collections.abc import Mapping
from dataclasses import dataclass

from r1flow.components.evals.paired import compare


@dataclass(frozen=True)
class Decision:
    """Whether the gate opens, why in words, and the metrics that were looked at."""

    passed: bool
    reasons: list[str]
    evidence: dict[str, float]


def decide(
    new: Mapping[str, float],
    champion: Mapping[str, float] | None,
    *,
    form: float,
    interval: tuple[float, float] | None = None,
    min_pass_at_1: float,
    min_format: float,
    max_drop: float,
) -> Decision:
    """``new`` and ``champion`` hold the share of correct samples per problem, ``form`` the format rate of the new model.

    The gate opens when pass@1 and format reach their floors and the whole 95 % interval of the paired difference to the
    champion, on the problems both have answered, lies above ``-max_drop``. The evaluation's own ``interval`` of pass@1 and
    the paired test's verdict are said beside and decide nothing.
    """
    rate = sum(new.values()) / len(new)
    around = "" if interval is None else "{:.3f} to {:.3f}; ".format(*interval)
    reasons = [
        f"pass@1 {rate:.3f} ({around}at least {min_pass_at_1:.3f})",
        f"format {form:.3f} (at least {min_format:.3f})",
    ]
    evidence = {"pass_at_1": rate, "format": form}
    passed = rate >= min_pass_at_1 and form >= min_format
    common = sorted(set(new) & set(champion or {}))
    if champion is None:
        reasons.append("there is no champion to compare with")
    elif 2 * len(common) < len(new):
        reasons.append(
            f"the champion was measured on other problems ({len(common)} in common): no comparison is possible"
        )
        passed = False
    else:
        found = compare(new, champion)
        difference = found.difference
        evidence |= {"difference": difference.mean, "difference_low": difference.low, "p": found.p}
        reasons.append(
            f"against the champion on {len(common)} problems: {difference.mean:+.3f} "
            f"({difference.low:+.3f} to {difference.high:+.3f}; at least {-max_drop:+.3f}): {found.verdict}"
        )
        passed = passed and difference.low >= -max_drop
    return Decision(passed, reasons, evidence)
