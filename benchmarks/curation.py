"""Curation of generated rows: time, its growth and peak memory at three sizes; deduplication beside datatrove's MinHash.

    python benchmarks/curation.py [100000 300000 1000000] [--workers 2] [--datatrove PYTHON] [--directory DIR]

Rows of about 600 characters are made from a seed and written to a file first, untimed: one in ten is a copy of an earlier row
(verbatim, in other case and spacing, or with a few words exchanged or left out), one in fifty an earlier row with other
numbers and another answer, one in two hundred an evaluation problem (verbatim, within a longer text, or lightly reworded).
Each size runs in a process of its own; memory is the peak of the sum of the resident sets of it and its workers, looked at ten
times a second. Linear means that the seconds per row of the largest size are at most 15 % above those of the smallest.

``--datatrove`` names the interpreter of an environment with datatrove, which does not go together with the versions pinned here:
``uv venv TROVE && uv pip install --python TROVE/bin/python 'datatrove[io,processing]' spacy orjson``. Its four steps then run on
the smallest size's file with as many workers, once with its tokenizer for English and once with the faster one for white space;
deduplication here runs between the two, without evaluation problems. Recall: of all pairs of Jaccard 0.8 or more (over our
shingles of two tokens) of which one row is in a sample, the share of which one row is dropped. Variants, kept here, do not count.

Beside seconds stand CPU seconds of all processes, which hardly know of other load.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIZES = (100_000, 300_000, 1_000_000)
PROBLEMS = 2000
WORDS_PER_ROW = 95
VOCABULARY = 30_000
SAMPLE = 3000
SUITE = "suite.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--datatrove", type=Path, default=None, help="python of an environment with datatrove")
    parser.add_argument("--directory", type=Path, default=None, help="where files go; default a temporary directory")
    parser.add_argument("--one", type=str, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(Path(options.one), options.workers, with_suite=options.sizes == [1])))
        return
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        figures = []
        for size in sorted(options.sizes):
            path = Path(directory) / f"{size}.jsonl"
            planted = write(path, size)
            figures.append(measured(path, options.workers, with_suite=True))
            show(size, figures[-1], planted)
        if len(figures) > 1:
            for clock in ("seconds", "cpu"):
                rate = [figure[clock] / size for figure, size in zip(figures, sorted(options.sizes), strict=True)]
                print(f"{clock} per row, largest over smallest size: {rate[-1] / rate[0]:.2f}")
        if options.datatrove:
            beside(Path(directory) / f"{min(options.sizes)}.jsonl", options.datatrove, options.workers)


def show(size: int, figure: dict[str, Any], planted: dict[str, list[str]]) -> None:
    counts = figure["counts"]
    print(
        f"\n{size:,} rows: {figure['seconds']:.0f} s, {size / figure['seconds']:,.0f} rows/s, CPU {figure['cpu']:.0f} s, "
        f"peak {figure['peak'] / 2**30:.2f} GiB\n  {counts}",
        flush=True,
    )
    met = set(figure["met"])
    for kind, ids in planted.items():
        print(f"  evaluation problems {kind}: {sum(row in met for row in ids)} of {len(ids)} found")
    made = {row for ids in planted.values() for row in ids}
    print(f"  other rows flagged: {len(met - made)} of {size - len(made):,}", flush=True)


# rows


def write(path: Path, size: int) -> dict[str, list[str]]:
    """``size`` rows to ``path``, the problems beside it; the ids of the rows that hold a problem, by how it stands in them."""
    rng, draws = random.Random(size), np.random.default_rng(size)
    words = vocabulary()
    problems = [text for text, _ in fresh(random.Random(1), np.random.default_rng(1), words, PROBLEMS, 45)]
    with (path.parent / SUITE).open("w", encoding="utf-8") as stream:
        stream.writelines(line(f"e{place}", text, "0") for place, text in enumerate(problems))
    planted: dict[str, list[str]] = {"verbatim": [], "embedded": [], "reworded": []}
    recent: list[tuple[str, str]] = []
    new = fresh(rng, draws, words, size, WORDS_PER_ROW)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(size):
            text, answer = next(new)
            kind = rng.random()
            if kind < 0.1 and recent:
                text, answer = rng.choice(recent)
                text = copied(text, rng, words)
            elif kind < 0.12 and recent:
                text, _ = rng.choice(recent)
                text = " ".join(str(int(w) + rng.randint(1, 9)) if w.isdigit() else w for w in text.split(" "))
            elif kind < 0.125:
                how = rng.choice(list(planted))
                text = planted_text(how, rng.choice(problems), text, rng, words)
                planted[how].append(f"r{number}")
            elif len(recent) < 200_000:
                recent.append((text, answer))
            else:
                recent[rng.randrange(len(recent))] = (text, answer)
            stream.write(line(f"r{number}", text, answer))
    return planted


def line(row_id: str, text: str, answer: str) -> str:
    return json.dumps({"id": row_id, "text": text, "answer": answer}) + "\n"


def vocabulary() -> list[str]:
    """Words as long as English ones; drawn by rank with Zipf's law, they meet about as often."""
    rng = random.Random(0)
    parts = [first + vowel for first in "bcdfghklmnprstvw" for vowel in "aeiou"]
    words = dict.fromkeys(
        "".join(rng.choices(parts, k=rng.choice((1, 2, 2, 2, 3, 3, 4)))) for _ in range(2 * VOCABULARY)
    )
    return list(words)[:VOCABULARY]


def fresh(
    rng: random.Random, draws: np.random.Generator, words: list[str], num: int, length: int
) -> Iterator[tuple[str, str]]:
    """(text, answer) of ``num`` new problems: sentences of drawn words, with a few numbers between them."""
    weights = 1.0 / np.arange(10, len(words) + 10)
    bounds = np.cumsum(weights / weights.sum())
    bounds[-1] = 1.0
    for _ in range(num):
        places = np.searchsorted(bounds, draws.random(length + rng.randint(-15, 15))).tolist()
        text = [words[place] for place in places]
        for place in range(6, len(text), 14):
            text[place] = str(rng.randint(2, 400))
        for place in range(12, len(text), 13):
            text[place] += "."
        yield " ".join(text).capitalize() + "?", str(rng.randint(0, 10**6))


def copied(text: str, rng: random.Random, words: list[str]) -> str:
    """A copy as data sets have it: the same, in other case and spacing, or with a word in ten at most exchanged."""
    how = rng.random()
    if how < 0.3:
        return text
    if how < 0.5:
        return rng.choice((text.upper(), text.replace(" ", "  ", 5), text.replace(".", ";"), text + "\n"))
    changed = text.split(" ")
    for place in rng.sample(range(len(changed)), rng.randint(1, max(1, len(changed) // 10))):
        if not changed[place].isdigit():
            changed[place] = rng.choice((rng.choice(words), ""))
    return " ".join(word for word in changed if word)


def planted_text(how: str, problem: str, text: str, rng: random.Random, words: list[str]) -> str:
    if how == "verbatim":
        return problem
    if how == "embedded":
        half = len(text) // 2
        return f"{text[:half]}. {problem} {text[half:]}"
    changed = problem.split(" ")
    for place in rng.sample(range(len(changed)), len(changed) // 12):
        if not changed[place].isdigit():
            changed[place] = rng.choice(words)
    return " ".join(changed)


# r1flow


def measured(path: Path, workers: int, *, with_suite: bool) -> dict[str, Any]:
    """``one`` in a process of its own, with the peak memory of it and its workers."""
    command = [
        sys.executable,
        __file__,
        *(["1"] if with_suite else ["0"]),
        "--one",
        str(path),
        "--workers",
        str(workers),
    ]
    return watched(command)


def watched(command: list[str]) -> dict[str, Any]:
    """The JSON of the last line that ``command`` prints, with its tree's ``peak`` and ``cpu`` seconds."""
    from tests.processes import family, told

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = 0
    spent: dict[int, float] = {}  # by process: workers that nobody waits for are in no parent's sum

    def look() -> None:
        nonlocal peak
        while process.poll() is None:
            looks = told(family(process.pid), lambda member: (member.memory_info().rss, member.cpu_times()))
            spent.update({member.pid: times.user + times.system for member, (_, times) in looks.items()})
            peak = max(peak, sum(rss for rss, _ in looks.values()))
            time.sleep(0.1)

    watcher = threading.Thread(target=look)
    watcher.start()
    output, errors = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{errors[-2000:]}")
    figure: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figure | {"peak": peak, "cpu": sum(spent.values())}


def one(path: Path, workers: int, *, with_suite: bool) -> dict[str, Any]:
    """Curate the file, write rows and report as the program does; seconds, counts, and the ids of what was dropped."""
    from r1flow.components.core.schema import Row
    from r1flow.components.data.curation.pipeline import curate
    from r1flow.components.data.curation.report import write_report
    from r1flow.components.data.curation.settings import Curation
    from r1flow.components.data.files import dump_rows

    def rows(file: Path) -> Iterator[Row]:
        with file.open(encoding="utf-8") as lines:
            for entry in map(json.loads, lines):
                yield Row(id=entry["id"], prompt=entry["text"], answer=entry["answer"], verifier="exact", source="made")

    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        work, out = Path(directory) / "work", Path(directory)
        started = time.perf_counter()
        suites = {"suite": rows(path.parent / SUITE)} if with_suite else {}
        found = curate(rows(path), suites, Curation(), work=work, quarantine=out / "quarantine.jsonl", workers=workers)
        counts = write_report(found, out)
        dump_rows(found.rows(), out / "train.jsonl")
        seconds = time.perf_counter() - started
        met = (
            [json.loads(pair)["train_id"] for pair in (out / "contamination" / "suite.jsonl").open()]
            if with_suite
            else []
        )
        dropped = [json.loads(entry)["id"] for entry in (out / "duplicates.jsonl").open()] if not with_suite else []
    return {"seconds": seconds, "counts": counts, "met": met, "dropped": dropped, "compared": found.duplicates.compared}


# beside datatrove


def beside(path: Path, python: Path, workers: int) -> None:
    """Deduplication of one file by both, in turn; ratio of speeds, and both recalls."""
    side = str(Path(__file__).with_name("curation_datatrove.py"))
    runs = {
        "datatrove, English tokenizer": [str(python), side, str(path), str(workers), "english"],
        "r1flow": [],
        "datatrove, white-space tokenizer": [str(python), side, str(path), str(workers), "whitespace"],
    }
    print(f"\ndeduplication of {path.stem} rows, {workers} workers", flush=True)
    figures = {}
    for who, command in runs.items():
        figures[who] = watched(command) if command else measured(path, workers, with_suite=False)
    pairs = close_pairs(path)
    ours = figures["r1flow"]
    for who, figure in figures.items():
        dropped = set(figure["dropped"])
        recall = sum(not dropped.isdisjoint(pair) for pair in pairs) / len(pairs)
        print(
            f"  {who:<33} {figure['seconds']:7.1f} s (CPU {figure['cpu']:7.1f} s), "
            f"{figure['seconds'] / ours['seconds']:5.1f} times ours (CPU {figure['cpu'] / ours['cpu']:5.1f}), "
            f"recall {recall:.4f} of {len(pairs)} pairs, dropped {len(dropped)}",
            flush=True,
        )


def close_pairs(path: Path) -> list[tuple[str, str]]:
    """Pairs of exact Jaccard 0.8 or more, of the rows of a sample and all others that could reach it.

    A pair of that similarity shares a shingle among the rarest 0.2 |A| + 1 of either row: only such rows are compared.
    Pairs that are variants (other numbers and another answer) are kept on purpose and do not count.
    """
    from r1flow.components.data.curation.text import is_number, jaccard, normalise, shingles, tokens

    with path.open(encoding="utf-8") as lines:
        rows = list(map(json.loads, lines))
    sample = random.Random(2).sample(range(len(rows)), min(SAMPLE, len(rows)))
    sets = {place: shingles(rows[place]["text"], 2) for place in sample}
    wanted: dict[tuple[str, ...], list[int]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        for shingle in shingles(row["text"], 2):
            counts[shingle] = counts.get(shingle, 0) + 1
    for place, held in sets.items():
        rare = sorted(held, key=lambda shingle: (counts[shingle], shingle))
        for shingle in rare[: len(held) // 5 + 1]:
            wanted.setdefault(shingle, []).append(place)
    pairs = []
    for other, row in enumerate(rows):
        held = shingles(row["text"], 2)
        for place in {place for shingle in held for place in wanted.get(shingle, ()) if place != other}:
            if jaccard(sets[place], held) < 0.8:
                continue
            mine = rows[place]
            numbers = [sorted(filter(is_number, tokens(text))) for text in (mine["text"], row["text"])]
            if numbers[0] == numbers[1] or normalise(mine["answer"]) == normalise(row["answer"]):
                pairs.append((mine["id"], row["id"]))
    return pairs


if __name__ == "__main__":
    root = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    sys.path.insert(0, root)
    main()
