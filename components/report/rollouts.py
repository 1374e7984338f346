"""Completions to leaf through on the page: a bounded sample of every RL stage's lake, in groups, token by token.

What a model wrote travels as data: JSON without a character that markup has, which the page's script puts into text nodes.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from components.models import load_tokenizer
from components.report.samples import printable
from components.report.stages import stage_name
from components.rollout import lake

STEPS, GROUPS = 8, 6
"""Steps of each stage, evenly spread with the first and the last, and groups of each step."""
HEAD, TAIL = 600, 300
"""Tokens of a long completion that are shown."""
MAX_BYTES = 4_000_000
"""Of all stages together, as JSON."""
MAX_PROMPT = 4_000
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
Group = list[dict[str, Any]]


def browse(
    inputs: Mapping[str, Path], stages: Sequence[str], wanted: Mapping[str, set[tuple[int, str]]]
) -> list[dict[str, Any]]:
    """By stage: name, figures about the lake, and groups with prompt, gold and completions.

    ``wanted``: groups (step, problem) of a stage that are shown in any case, before all others; then those of the sampled
    steps in turn, until the stage's part of MAX_BYTES is full.
    """
    found = []
    for stage in stages:
        chosen = _chosen(inputs[stage] / "lake", wanted.get(stage, set()))
        problems = _problems(inputs, {group[0]["prompt_id"] for group in chosen})
        decode = _decoder(inputs[stage])
        shown, size = [], 0
        for group in chosen:
            record = _group(group, problems.get(group[0]["prompt_id"], {}), decode)
            size += len(dump(record))
            if size > MAX_BYTES / len(stages):
                break
            shown.append(record)
        shown.sort(key=lambda record: (record["step"], record["problem"]))
        whole = sum(pq.read_metadata(shard).num_rows for shard in lake.shards(inputs[stage] / "lake"))
        held = sum(len(record["completions"]) for record in shown)
        found.append({"stage": stage, "name": stage_name(stage), "held": held, "whole": whole, "groups": shown})
    return found


def dump(value: Any) -> str:
    """JSON that can stand inside a ``<script>`` element and says nothing to an HTML parser, whatever it holds.

    >>> dump("</script><!--")
    '"\\\\u003c/script\\\\u003e\\\\u003c!--"'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pieces(ids: Sequence[int], text: str, decode: Decode) -> list[str] | None:
    """The text of every token where they join to ``text``; None where some tokens are no text by themselves."""
    parts = [decode([token]) for token in ids]
    for end in (len(parts), len(parts) - 1):  # the end token stands in no text
        if "".join(parts[:end]) == text:
            return parts[:end]
    return None


def _chosen(directory: Path, wanted: set[tuple[int, str]]) -> list[Group]:
    """The wanted groups, then one group of every sampled step after another."""
    first = [group for step, name in sorted(wanted) for group in _groups(directory, step, name)]
    steps = [_spread(list(_groups(directory, step)), GROUPS) for step in _sampled(lake.last_step(directory))]
    others = [groups[place] for place in range(GROUPS) for groups in steps if place < len(groups)]
    return first + [group for group in others if (group[0]["step"], group[0]["prompt_id"]) not in wanted]


def _sampled(last: int) -> list[int]:
    return _spread(list(range(1, last + 1)), STEPS)


def _spread(values: list[Any], number: int) -> list[Any]:
    """At most ``number`` of them, evenly spread, the first and the last included."""
    if len(values) <= number:
        return values
    return [values[round(place * (len(values) - 1) / (number - 1))] for place in range(number)]


def _groups(directory: Path, step: int, name: str | None = None) -> Iterator[Group]:
    """The groups of a step, or the one of a problem, from the shard that holds the step."""
    shard = next((path for path in lake.shards(directory) if step <= int(path.stem.rsplit("-", 1)[1])), None)
    if shard is None:
        return
    filters = [("step", "==", step), *([("prompt_id", "==", name)] if name is not None else [])]
    groups: dict[str, Group] = {}
    for row in pq.read_table(shard, columns=COLUMNS, filters=filters).to_pylist():
        groups.setdefault(row["prompt_id"], []).append(row)
    yield from groups.values()


def _decoder(artifact: Path) -> Decode | None:
    """What turns token ids into text: the tokenizer of the stage's model; None for an artifact without one."""
    if not (artifact / "model").is_dir():
        return None
    tokenizer = load_tokenizer(artifact / "model")
    return lambda ids: str(tokenizer.decode(list(ids), skip_special_tokens=False))


def _problems(inputs: Mapping[str, Path], names: set[str]) -> dict[str, dict[str, Any]]:
    """The dataset's rows of these problems."""
    found: dict[str, dict[str, Any]] = {}
    if "curate" in inputs:
        with (inputs["curate"] / "train.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["id"] in names:
                    found[row["id"]] = row
    return found


def _group(rows: Group, problem: Mapping[str, Any], decode: Decode | None) -> dict[str, Any]:
    first = rows[0]
    asked = problem.get("prompt") or (decode(first["prompt_ids"]) if decode else "")
    return {
        "step": first["step"],
        "problem": printable(first["prompt_id"]),
        "prompt": printable(asked[:MAX_PROMPT]),
        "gold": printable(problem.get("answer") or ""),
        "level": problem.get("level"),
        "completions": [_completion(row, decode) for row in rows],
    }


def _completion(row: Mapping[str, Any], decode: Decode | None) -> dict[str, Any]:
    tokens = pieces(row["ids"], row["text"], decode) if decode else None
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
    if tokens is None:
        return record | {"text": [printable(_cut(row["text"], 4 * HEAD, 4 * TAIL))], "logprobs": []}
    logprobs = [_rounded(value, 2) for value in row["logprobs"][: len(tokens)]]
    cut = len(tokens) - HEAD - TAIL
    if cut > 0:
        tokens = [*tokens[:HEAD], f"\n[... {cut:,} tokens left out ...]\n", *tokens[-TAIL:]]
        logprobs = [*logprobs[:HEAD], None, *logprobs[-TAIL:]]
    return record | {"text": [printable(token) for token in tokens], "logprobs": logprobs}


def _cut(text: str, head: int, tail: int) -> str:
    left = len(text) - head - tail
    return text if left <= 0 else f"{text[:head]}\n[... {left:,} characters left out ...]\n{text[-tail:]}"


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None or value != value else round(value, digits) + 0.0  # no minus before a zero
