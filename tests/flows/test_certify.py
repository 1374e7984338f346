"""`r1 certify`: what it refuses, what its tables say of engines that are not there, and the whole proofs as commands."""

from pathlib import Path

import pytest
from rich.console import Console

from r1flow.cli.certify_gradient import RANKS, _table, cases
from r1flow.components.training.checks.cases import all_cases
from tests.runs import r1

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["poems"], "'poems' cannot be certified; it is rewards, gradient, weights or resume"),
        (["gradient", "--kind", "math"], "--kind names a verifier and belongs to `r1 certify rewards`"),
        (
            ["resume", "--model", "builtin:tiny-base"],
            "--model belongs to `r1 certify gradient` and `r1 certify weights`",
        ),
        (["weights", "--model", "missing"], "missing is not a directory here"),
    ],
)
def test_certify_refuses_what_it_would_not_read(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = r1(tmp_path, "certify", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message in done.stderr.replace("\n", " ")


def printed(found: dict[int, dict[str, float]]) -> list[str]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(_table(found))
    return capture.get().splitlines()[1:]


def test_the_gradients_table_has_a_row_per_engine_ranks_and_packing_with_its_worst_case() -> None:
    single = {case.name: 1e-7 for case in cases(0)}
    single["single/packed/16/dapo kl"] = 3e-3
    rows = printed({0: single})
    assert len(rows) == (1 + 4 + 4) * 2
    assert "holds" in rows[0]
    assert rows[1].split() == [
        "single",
        "1",
        "packed",
        "1.0e-07",
        "1.0e-07",
        "3.0e-03",
        "1.0e-07",
        "dapo",
        "kl",
        "FAILS",
    ]
    assert all(row.endswith("not installed") for row in (line.rstrip() for line in rows[2:]))
    assert not any("holds" in row for row in rows[2:])


def test_the_command_runs_the_whole_product() -> None:
    wanted = [case for ranks in RANKS for case in cases(ranks)]
    assert len(wanted) == 9 * 4 * 2 * 11
    assert set(wanted) == set(all_cases([None, 0, 1, 2, 3]))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ["gradient", "weights", "resume"])
def test_every_proof_holds_as_a_command(tmp_path: Path, what: str) -> None:
    done = r1(tmp_path, "certify", what, timeout=3500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILS" not in done.stdout
