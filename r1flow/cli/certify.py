"""``r1 certify``: which proof; and ``r1 certify rewards``, the adversarial tests of verifiers, as a table."""

import os
from collections.abc import Sequence
from typing import cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards.adversarial.cases import Kind
from r1flow.components.rewards.adversarial.certificate import Certificate
from r1flow.components.rewards.pool.certificates import KINDS, certify_own
from r1flow.components.rewards.pool.pool import ScoringPool


def certify(what: str, kinds: Sequence[str], seed: int, model: str | None) -> bool:
    """Run the proof of that name; whether it holds. Raises :class:`ConfigError` for options that it would not read."""
    if kinds and what != "rewards":
        raise ConfigError(f"--kind names a verifier and belongs to `r1 certify rewards`, not to {what}")
    if model and what not in ("gradient", "weights"):
        raise ConfigError(f"--model belongs to `r1 certify gradient` and `r1 certify weights`, not to {what}")
    match what:
        case "rewards":
            return certify_rewards(kinds, seed)
        case "gradient":
            from r1flow.cli.certify_gradient import certify_gradient

            return certify_gradient(model, seed)
        case "weights":
            from r1flow.cli.certify_weights import certify_weights

            return certify_weights(model or "builtin:tiny-base")
        case "resume":
            from r1flow.cli.certify_resume import certify_resume

            return certify_resume()
    raise ConfigError(f"{what!r} cannot be certified; it is rewards, gradient, weights or resume")


def certify_rewards(kinds: Sequence[str], seed: int) -> bool:
    """Certify every verifier, or those named; print the table. Whether all reach their floors."""
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise ConfigError(f"--kind {', '.join(unknown)}: the verifiers are {', '.join(KINDS)}")
    console = Console()
    workers = os.cpu_count() or 1
    found: list[Certificate] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ScoringPool(workers) as pool, Progress(*columns, console=console, transient=True) as bar:
        for kind in cast(Sequence[Kind], kinds or KINDS):
            task = bar.add_task(kind, total=None)

            def judged(done: int, total: int, task: object = task) -> None:
                bar.update(task, completed=done, total=total)  # type: ignore[arg-type]

            found.append(certify_own(kind, pool, workers=workers, seed=seed, judged=judged))
            bar.remove_task(task)
    _print(console, found)
    return all(certificate.passed for certificate in found)


def _print(console: Console, found: Sequence[Certificate]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("verifier", "family", "cases", "right", "floor", ""):
        table.add_column(name, justify="left" if name in ("verifier", "family", "") else "right")
    for certificate in found:
        for number, family in enumerate(certificate.families):
            verdict = "holds" if family.share >= certificate.floor else "FAILS"
            first = certificate.kind if number == 0 else ""
            share, floor = f"{family.share:.2%}", f"{certificate.floor:.0%}"
            table.add_row(first, family.family, str(family.cases), share, floor, verdict)
    console.print(table)
    for certificate in found:
        for family in certificate.families:
            for worst in family.worst:
                console.print(f"{certificate.kind} {family.family}: {worst.mutation}", style="bold", markup=False)
                console.print(
                    f"  gold {worst.gold!r}\n  completion {worst.completion!r}\n  expected {worst.expected}, got {worst.got}",
                    markup=False,
                    highlight=False,
                )
    console.print(f"{sum(certificate.cases for certificate in found)} cases")
