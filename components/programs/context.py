"""What has no room in the model's positions: counted before anything is sampled or trained, left out with a list, or refused.

One rule, whatever the sampler. Problems to learn from or to rate and rows of SFT data are left out where that leaves at least
:data:`LEAST` of each skill; below that, and in an evaluation, where fewer problems are another measure, it is a DataError.
"""

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.programs.language_model import LanguageModel
from r1flow.components.programs.spec import Spec
from r1flow.components.training.engines import ranks
from r1flow.components.training.sft.example import Example

_log = logging.getLogger(__name__)

LEFT_OUT = "left_out.jsonl"
"""In the artifact, where something was left out: a line for each, as :class:`TooLong` says it."""
LEAST = 0.1
"""Share of a skill that has to fit: what is left of a data set below it is another one than was asked for."""
_OTHERWISE = "or take a model with a longer context"

Item = TypeVar("Item")


@dataclass(frozen=True)
class TooLong:
    """A row by its ``id`` and skill: its ``tokens`` and the ``max_tokens`` behind them are more than ``positions``."""

    id: str
    skill: str
    tokens: int
    max_tokens: int
    positions: int


Found = dict[int, TooLong]
"""By place in a list of rows, for several rows may bear one id."""


def problems_with_room(
    spec: Spec, lm: LanguageModel, rows: Sequence[Row], max_tokens: int, skills: Collection[str] = ()
) -> tuple[list[Row], dict[str, float]]:
    """The problems whose prompts leave room for ``max_tokens``, and how many do not. Rows of other ``skills`` than those that are
    given stay, unlooked at: nobody draws them."""
    asked = {index: row for index, row in enumerate(rows) if not skills or row.skill in skills}
    found = _too_long(lm, asked, max_tokens)
    _refuse(
        spec.stage, asked.values(), found, LEAST, "problems", f"lower max_tokens, give shorter problems, {_OTHERWISE}"
    )
    return _without(spec.out, rows, found)


def need_room(owner: str, lm: LanguageModel, rows: Sequence[Row], max_tokens: int) -> None:
    """DataError where any of the problems of an evaluation leaves no room for ``max_tokens``."""
    fix = f"lower max_tokens, {_OTHERWISE}: without them the suite would measure something else"
    _refuse(owner, rows, _too_long(lm, dict(enumerate(rows)), max_tokens), 1.0, "problems", fix)


def examples_with_room(
    spec: Spec, lm: LanguageModel, rows: Sequence[Row], examples: Sequence[Example]
) -> tuple[list[Example], dict[str, float]]:
    """The ``examples`` that fit, of the ``rows`` that they stand beside, and how many do not."""
    bound = lm.positions
    found: Found = {}
    for index, (row, example) in enumerate(zip(rows, examples, strict=True)):
        if bound is not None and len(example.ids) > bound:
            found[index] = TooLong(row.id, row.skill, len(example.ids), 0, bound)
    _refuse(spec.stage, rows, found, LEAST, "rows", f"give shorter rows, {_OTHERWISE}")
    return _without(spec.out, examples, found)


def _too_long(lm: LanguageModel, rows: Mapping[int, Row], max_tokens: int) -> Found:
    bound = lm.positions
    if bound is None:
        return {}
    sizes = {index: len(lm.encode_prompt(row)) for index, row in rows.items()}
    return {
        index: TooLong(rows[index].id, rows[index].skill, size, max_tokens, bound)
        for index, size in sizes.items()
        if size + max_tokens > bound
    }


def _refuse(owner: str, rows: Collection[Row], found: Found, least: float, what: str, fix: str) -> None:
    """DataError where nothing, or less than the share ``least``, of a skill's rows fits."""
    whole, gone = Counter(row.skill for row in rows), Counter(item.skill for item in found.values())
    if all(whole[skill] - count >= max(1, least * whole[skill]) for skill, count in gone.items()):
        return
    longest = max(found.values(), key=lambda item: item.tokens)
    behind = f" and max_tokens {longest.max_tokens:,} behind them" if longest.max_tokens else ""
    raise DataError(
        f"{owner}: {len(found):,} of {len(rows):,} {what} have no room in the model's {longest.positions:,} positions (the "
        f"longest, {longest.id}: {longest.tokens:,} tokens{behind}); {fix}"
    )


def _without(out: Path, items: Sequence[Item], found: Found) -> tuple[list[Item], dict[str, float]]:
    """``items`` without those that were found by their place; these are listed in ``out``."""
    if not found:
        return list(items), {}
    if ranks.rank() == 0:
        out.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(asdict(item)) + "\n" for item in found.values())
        (out / LEFT_OUT).write_text("".join(lines), encoding="utf-8")
        _log.warning("%d of %d rows have no room in the model's positions: %s", len(found), len(items), LEFT_OUT)
    return [item for index, item in enumerate(items) if index not in found], {"left_out": float(len(found))}
