"""r1flow's mathematics verifier beside math-verify, on the same labelled rows, in one process on one core.

    python benchmarks/verifier.py [DATA] [--rows N]

DATA holds ``gsm8k_model_solutions``, ``model_outputs`` and ``verifier_cases`` as JSON lines. Both get the same gold and
the same text. math-verify is configured plainly (its own time-outs on, gold set in dollars where it is bare); r1flow
answers with ``quick`` and, where that declines, with ``judge``, its caches cold. Every row on which the two differ is
printed with the row's label, which says who is right. Time is the processor's, so that a busy machine changes little.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Item = tuple[str, str, bool | None]  # gold, text, label
DELIMITERS = ("$", "\\(", "\\[", "\\boxed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path(__file__).parents[1].parent / "shared" / "data")
    parser.add_argument("--rows", type=int, default=None, help="at most so many rows of each set")
    options = parser.parse_args()
    from r1flow.components.rewards.mathematics import judge
    from r1flow.components.rewards.thought import CLOSE

    def ours(gold: str, text: str) -> bool | None:
        reward = r1flow(gold, text.rpartition(CLOSE)[2])
        return None if reward is None else bool(reward)

    logging.disable(logging.CRITICAL)
    for gold in ("\\sqrt{2}", "x^2+\\frac{1}{2}y", "(1,2]", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\sin x = 2"):
        math_verify(gold, f"${gold}$"), judge(gold, f"\\boxed{{{gold}+1}}")  # imports, and the grammar that both share
    for name, rows in (("gsm8k", gsm8k), ("qwen", qwen), ("cases", cases)):
        items = list(rows(options.data))[: options.rows]
        compare(name, items, ours)


def compare(name: str, items: list[Item], ours: Callable[[str, str], bool | None]) -> None:
    """Time both over all items, then print the ratio, the agreement with the labels, and every difference.

    The LaTeX grammar below both grows its tables with every construct it meets, so the first to come would pay for the
    second: one pass of math-verify goes before, untimed. Verdicts are remembered by neither.
    """
    for gold, text, _ in items:
        math_verify(gold, text)
    first, first_seconds = timed(ours, items)
    second, second_seconds = timed(math_verify, items)
    differ = [index for index in range(len(items)) if bool(first[index]) != bool(second[index])]
    labels = [label for _, _, label in items]
    print(f"\n{name}: {len(items)} rows")
    for who, verdicts, seconds in (("r1flow", first, first_seconds), ("math-verify", second, second_seconds)):
        right = sum(bool(verdict) == bool(label) for verdict, label in zip(verdicts, labels, strict=True))
        rate = len(items) / seconds
        print(f"  {who:<12} {rate:10.0f} rows/s   agrees with {right} labels ({right / len(items):.2%})")
    print(f"  throughput ratio {second_seconds / first_seconds:.1f}; {len(differ)} verdicts differ")
    for index in differ:
        gold, text, label = items[index]
        right_one = "r1flow" if bool(first[index]) == bool(label) else "math-verify"
        print(f"    label for {right_one}: gold {gold[-60:]!r}, text ends {text[-60:]!r}", flush=True)


def timed(verify: Callable[[str, str], bool | None], items: list[Item]) -> tuple[list[bool | None], float]:
    start = time.process_time()
    verdicts = [verify(gold, text) for gold, text, _ in items]
    return verdicts, time.process_time() - start


def r1flow(gold: str, text: str) -> float | None:
    from r1flow.components.rewards.mathematics import judge, quick

    score = quick(gold, text)
    return (judge(gold, text) if score is None else score).reward


def math_verify(gold: str, text: str) -> bool | None:
    from math_verify import parse, verify

    wanted = parse(gold if any(mark in gold for mark in DELIMITERS) else f"${gold}$")
    return bool(verify(wanted, parse(text))) if wanted else None


def gsm8k(data: Path) -> Iterator[Item]:
    for row in lines(data / "gsm8k_model_solutions" / "example_model_solutions.rows0000-0659.jsonl"):
        gold = row["ground_truth"].rpartition("A: ")[2].strip()
        for value in row.values():
            if isinstance(value, dict):
                yield gold, value["solution"], value["is_correct"]


def qwen(data: Path) -> Iterator[Item]:
    for row in lines(data / "model_outputs" / "qwen_math_cot_100.minus_heldout.jsonl"):
        for text, score in zip(row["response"], row["score"], strict=True):
            yield row["gt"], text, score


def cases(data: Path) -> Iterator[Item]:
    for row in lines(data / "verifier_cases" / "answer_cases.jsonl"):
        if row["kind"] == "math" and row["tier"] in ("core", "robust"):
            yield row["gold"], row["prediction"], row["expected"]


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
