"""The rewards at work: judging files, certification before training, rewards of one's own."""

import json
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.runs import r1, stages

pytestmark = pytest.mark.long

BREVITY = """
LIMIT = 400

def brevity(batch):
    return [min(1.0, max(0.0, 2 - len(text) / LIMIT)) for text in batch.texts]
"""


def write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def judged(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_verify_judges_mathematics_line_by_line(tmp_path: Path) -> None:
    rows: list[object] = [
        {"id": 1, "gold": "1/2", "prediction": r"\boxed{0.5}"},
        {"id": 2, "gold": "(x+1)^2", "prediction": r"so \boxed{x^2+2x+1}"},
        {"id": 3, "gold": 7, "completion": "<think>7</think>8"},
        {"id": 4, "gold": "7", "completion": "<think>7"},
        "not json\n",
        {"id": 6, "gold": "7"},
    ]
    source, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    done = r1(tmp_path, "verify", str(source), "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = [(row["id"], row["verdict"], row["reward"], row["extracted"]) for row in judged(out)]
    assert found[0] == (1, "CORRECT", 1.0, "0.5")
    assert [(i, verdict, reward) for i, verdict, reward, _ in found[1:]] == [
        (2, "CORRECT", 1.0),
        (3, "WRONG", 0.0),
        (4, "UNPARSEABLE", 0.0),
    ]
    assert "line 5: not JSON" in done.stdout
    assert "line 6: no text under completion or prediction" in done.stdout


def test_verify_runs_programs_against_their_tests(tmp_path: Path) -> None:
    need_program("bwrap")
    tests = {"stdio": [{"stdin": "19 23\n", "stdout": "42\n"}]}
    rows: list[object] = [
        {"tests": tests, "prediction": "```python\nprint(sum(map(int, input().split())))\n```"},
        {"tests": tests, "prediction": "```python\nprint(4)\n```"},
        {"tests": {"stdio": "no"}, "prediction": "x"},
    ]
    source, out = write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl"
    done = r1(tmp_path, "verify", str(source), "--kind", "code", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert [row["verdict"] for row in judged(out)] == ["CORRECT", "WRONG"]
    assert "line 3" in done.stdout


def test_verify_measures_format_and_language(tmp_path: Path) -> None:
    text = "<think>we add both numbers and find the sum</think><answer>5</answer>"
    source = write(
        tmp_path / "in.jsonl", [{"completion": text, "language": "en"}, {"completion": text, "language": "zh"}]
    )
    for kind, rewards in (("format", [1.0, 1.0]), ("language", [1.0, 0.0])):
        done = r1(tmp_path, "verify", str(source), "--kind", kind, "--out", str(tmp_path / kind))
        assert done.returncode == 0, done.stderr
        assert [row["reward"] for row in judged(tmp_path / kind)] == rewards


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl", "--out", "o"], "missing.jsonl: no such file"),
        (["{here}", "--out", "{here}"], "this is the file that is read"),
        (["{here}", "--out", "o", "--kind", "poems"], "'poems' is not one of"),
    ],
)
def test_verify_refuses_what_it_cannot_do(tmp_path: Path, arguments: list[str], message: str) -> None:
    here = write(tmp_path / "in.jsonl", [{"gold": "1", "prediction": "1"}])
    done = r1(tmp_path, "verify", *(argument.replace("{here}", str(here)) for argument in arguments))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message in done.stderr.replace("\n", " ")


def test_certify_prints_a_table_and_says_which_verifiers_there_are(tmp_path: Path) -> None:
    done = r1(tmp_path, "certify", "rewards", "--kind", "exact", "--kind", "format")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "adversarial" in done.stdout
    assert "FAILS" not in done.stdout
    assert r1(tmp_path, "certify", "rewards", "--kind", "poems").returncode == 2


def test_a_reward_of_ones_own_trains_and_identifies_the_stage(tmp_path: Path) -> None:
    module = tmp_path / "lib" / "mypkg" / "brevity.py"
    module.parent.mkdir(parents=True)
    module.write_text(BREVITY)
    name, summary = "mypkg.brevity:brevity", tmp_path / "summary.json"
    arguments = [
        "run",
        "smoke",
        "--only",
        "r1_zero",
        "--set",
        f"r1_zero.rewards.{name}=0.5",
        "--json",
        str(summary),
    ]
    refused = r1(tmp_path, *arguments)
    assert refused.returncode == 2
    assert "mypkg.brevity cannot be imported" in refused.stderr.replace("\n", " ")
    first = r1(tmp_path, *arguments, path=tmp_path / "lib")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    assert stages(json.loads(summary.read_text()))["r1_zero"]["metrics"]
    module.write_text(BREVITY.replace("400", "300"))
    assert r1(tmp_path, *arguments, path=tmp_path / "lib").returncode == 0
    assert not stages(json.loads(summary.read_text()))["r1_zero"]["reused"]
