import json
from pathlib import Path

import pytest

from r1flow.components.rewards.pool.files import Summary, verify_file
from r1flow.components.rewards.pool.pool import ScoringPool


def verified(tmp_path: Path, kind: str, *lines: bytes | dict[str, object]) -> tuple[Summary, list[dict[str, object]]]:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    with ScoringPool(1) as pool:
        summary = verify_file(source, out, kind, pool)  # type: ignore[arg-type]
    return summary, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'\xff{"gold": "7", "prediction": "7"}', "not UTF-8"),
        (b'{"gold": "7", "prediction": "7', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"null", "not a JSON object"),
        (b'{"gold": NaN, "prediction": "7"}', "no text under gold"),
        (b'{"gold": 1e999, "prediction": "7"}', "no text under gold"),
        (b'{"gold": true, "prediction": "7"}', "no text under gold"),
        (b'{"gold": "7", "prediction": 7}', "no text under completion or prediction"),
    ],
)
def test_a_malformed_line_is_named_and_the_others_are_verified(tmp_path: Path, line: bytes, reason: str) -> None:
    good = {"gold": 7, "prediction": "\\boxed{7.0}"}
    summary, found = verified(tmp_path, "math", good, line, b"", good)
    assert summary.malformed == [(2, reason)]
    assert [row["verdict"] for row in found] == ["CORRECT", "CORRECT"]


@pytest.mark.parametrize("language", [5, None, "klingon"])
def test_a_language_that_is_none_is_a_malformed_line(tmp_path: Path, language: object) -> None:
    summary, found = verified(tmp_path, "language", {"text": "one and one is two", "language": language})
    assert ([number for number, _ in summary.malformed], found) == ([1], [])


def test_lone_surrogates_and_null_bytes_in_an_answer_are_text(tmp_path: Path) -> None:
    summary, found = verified(
        tmp_path, "math", b'{"gold": "7", "prediction": "\\ud800 \\\\boxed{7}"}', {"gold": "7", "prediction": "\0"}
    )
    assert [row["reward"] for row in found] == [1.0, 0.0]
    assert summary.malformed == []


def test_an_answer_that_stands_in_the_thought_alone_earns_nothing(tmp_path: Path) -> None:
    boxed = "\\boxed{7}"
    texts = [
        f"<think>{boxed}</think>",
        f"<think>{boxed}",
        f"<think>a</think>{boxed}<think>b",
        f"<think>a</think>{boxed}",
    ]
    _, found = verified(tmp_path, "math", *({"gold": "7", "prediction": text} for text in texts))
    assert [row["reward"] for row in found] == [0.0, 0.0, 0.0, 1.0]
