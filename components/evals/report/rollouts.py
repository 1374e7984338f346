"""Completions to leaf through on the page: a bounded sample of every RL stage's lake, in groups, token by token.

What a model wrote travels as data: JSON without a character that markup has, which the page's script puts into text nodes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from r1flow.components.core.artifacts import Dataset
from r1flow.components.core.models import load_tokenizer
from r1flow.components.evals.report.names import Names
from r1flow.components.evals.report.samples import printable
from r1flow.components.store.rollouts import lake

STEPS, GROUPS = 8, 6
"""Steps of each stage, evenly spread with the first and the last, and groups of each step."""
HEAD, TAIL = 600, 300
"""Tokens of a long completion that are shown."""
MAX_BYTES = 4_000_000
"""Of all stages together, as JSON."""
MAX_PROMPT = 4_000
BATCH = 128
"""Completions in memory at a time."""
COLUMNS = [
    "step",
    "policy_version",
    "prompt_id",
    "sample",
    "prompt_ids",
    "ids",
    "logprobs",
    "num_tokens",
    "finished",
    "text",
]
COLUMNS += ["reward", "rewards", "verdict", "language", "format_ok", "advantage"]

Decode = Callable[[Sequence[int]], str]
Key = tuple[int, str]
"""A group: step and problem."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Completion:
    """What the page gets of a completion, and the prompt that it answered, as the policy read it."""

    prompt: str
    record: dict[str, Any]


def browse(
    inputs: Mapping[str, Path],
    data: Mapping[str, Path],
    wanted: Mapping[str, set[tuple[int, str]]],
    names: Names,
) -> list[dict[str, Any]]:
    """By stage: name, metrics about the lake, and groups with prompt, gold and completions.

    ``inputs``: the RL stages' artifacts, in order; ``data``: the datasets that they took their problems from, as far as known.
    ``wanted``: groups (step, problem) of a stage that are shown in any case, before all others; then those of the sampled
    steps in turn, until the stage's part of MAX_BYTES is full.
    """
    found = []
    for stage, artifact in inputs.items():
        chosen = _chosen(artifact / "lake", wanted.get(stage, set()))
        problems = _problems(data.get(stage), {name for _, name in chosen})
        decode = _decoder(artifact)
        groups = _groups(artifact / "lake", set(chosen), partial(_completion, decode=decode))
        shown, size = [], 0
        for key in chosen:
            record = _group(key, groups.get(key, []), problems.get(key[1], {}))
            size += len(dump(record))
            if size > MAX_BYTES / len(inputs):
                break
            shown.append(record)
        shown.sort(key=lambda record: (record["step"], record["problem"]))
        whole = sum(pq.read_metadata(shard).num_rows for shard in lake.shards(artifact / "lake"))
        held = sum(len(record["completions"]) for record in shown)
        found.append({"stage": stage, "name": names.title(stage), "held": held, "whole": whole, "groups": shown})
    return found


def dump(value: Any) -> str:
    """JSON that can stand inside a ``<script>`` element and says nothing to an HTML parser, whatever it holds.

    >>> dump("</script><!--")
    '"\\\\u003c/script\\\\u003e\\\\u003c!--"'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pieces(ids: Sequence[int], text: str, decode: Decode) -> list[str] | None:
    """The text of every token where they join to ``text``; None where some tokens are no text by themselves.

    Of more than HEAD + TAIL tokens only the first and the last, with a word on how many lie between.
    """
    cut = len(ids) - HEAD - TAIL
    head = [decode([token]) for token in (ids if cut <= 0 else ids[:HEAD])]
    if cut <= 0:
        return next((head[:end] for end in (len(head), len(head) - 1) if "".join(head[:end]) == text), None)
    tail = [decode([token]) for token in ids[-TAIL:]]
    tail = tail if text.endswith("".join(tail)) else tail[:-1]  # the end token stands in no text
    if not text.startswith("".join(head)) or not text.endswith("".join(tail)):
        return None
    return [*head, f"\n[... {cut:,} tokens left out ...]\n", *tail]


def _chosen(directory: Path, wanted: set[tuple[int, str]]) -> list[Key]:
    """The wanted groups, then one group of every sampled step after another."""
    names = _names(directory, set(_spread(list(range(1, lake.last_step(directory) + 1)), STEPS)))
    steps = [[(step, name) for name in _spread(list(of), GROUPS)] for step, of in sorted(names.items())]
    others = [keys[place] for place in range(GROUPS) for keys in steps if place < len(keys)]
    return [*sorted(wanted), *(key for key in others if key not in wanted)]


def _spread(values: list[Any], number: int) -> list[Any]:
    """At most ``number`` of them, evenly spread, the first and the last included."""
    if len(values) <= number:
        return values
    return [values[round(place * (len(values) - 1) / (number - 1))] for place in range(number)]


def _names(directory: Path, steps: set[int]) -> dict[int, dict[str, None]]:
    """The problems of these steps, in the order in which they were sampled."""
    found: dict[int, dict[str, None]] = {}
    for row in lake.read(directory, ["prompt_id"]):
        if row["step"] in steps:
            found.setdefault(row["step"], {})[row["prompt_id"]] = None
    return found


def _groups(directory: Path, keys: set[Key], make: Callable[[Mapping[str, Any]], _T]) -> dict[Key, list[_T]]:
    """What ``make`` makes of every completion of these groups. A few rows are in memory at a time, however long they are."""
    found: dict[Key, list[_T]] = {}
    steps, names = (pa.array(sorted({key[place] for key in keys})) for place in (0, 1))
    for shard in lake.shards(directory):
        for batch in pq.ParquetFile(shard).iter_batches(BATCH, columns=COLUMNS):
            held = pc.and_(pc.is_in(batch["step"], steps), pc.is_in(batch["prompt_id"], names))
            for row in batch.filter(held).to_pylist():
                if (key := (row["step"], row["prompt_id"])) in keys:
                    found.setdefault(key, []).append(make(row))
    return found


def _decoder(artifact: Path) -> Decode | None:
    """What turns token ids into text: the tokenizer of the stage's model; None for an artifact without one."""
    if not (artifact / "model").is_dir():
        return None
    tokenizer = load_tokenizer(artifact / "model")
    return lambda ids: str(tokenizer.decode(list(ids), skip_special_tokens=False))


def _problems(dataset: Path | None, names: set[str]) -> dict[str, dict[str, Any]]:
    """The dataset's rows of these problems; none where the run does not have it."""
    found: dict[str, dict[str, Any]] = {}
    if dataset is not None:
        with Dataset(dataset).train.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["id"] in names:
                    found[row["id"]] = row
    return found


def _group(key: Key, completions: Sequence[Completion], problem: Mapping[str, Any]) -> dict[str, Any]:
    asked = problem.get("prompt") or (completions[0].prompt if completions else "")
    return {
        "step": key[0],
        "problem": printable(key[1]),
        "prompt": printable(asked[:MAX_PROMPT]),
        "gold": printable(problem.get("answer") or ""),
        "level": problem.get("level"),
        "completions": [completion.record for completion in completions],
    }


def _completion(row: Mapping[str, Any], decode: Decode | None) -> Completion:
    record = {
        "sample": row["sample"],
        "reward": _rounded(row["reward"]),
        "advantage": _rounded(row["advantage"]),
        "rewards": {printable(name): _rounded(value) for name, value in row["rewards"]},
        "verdict": row["verdict"] or "NOT SCORED",
        "language": _rounded(row["language"]),
        "tokens": row["num_tokens"],
        "finished": row["finished"],
        "staleness": row["step"] - 1 - row["policy_version"],
    }
    prompt = decode(row["prompt_ids"][:MAX_PROMPT]) if decode else ""
    tokens = pieces(row["ids"], row["text"], decode) if decode else None
    if tokens is None:
        text = printable(_cut(row["text"], 4 * HEAD, 4 * TAIL))
        return Completion(prompt, record | {"text": [text], "logprobs": []})
    logprobs: list[float | None] = [_rounded(value, 2) for value in row["logprobs"]]
    if len(logprobs) > HEAD + TAIL:
        logprobs = [*logprobs[:HEAD], None, *logprobs[-TAIL:]]
    return Completion(
        prompt, record | {"text": [printable(token) for token in tokens], "logprobs": logprobs[: len(tokens)]}
    )


def _cut(text: str, head: int, tail: int) -> str:
    left = len(text) - head - tail
    return text if left <= 0 else f"{text[:head]}\n[... {left:,} characters left out ...]\n{text[-tail:]}"


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None or value != value else round(value, digits) + 0.0  # no minus before a zero
