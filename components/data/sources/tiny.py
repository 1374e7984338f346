"""The generated problems of the tiny world."""

from collections.abc import Collection

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.core.seeds import python_rng
from r1flow.components.data.tinyworld.problems import Problem, levels, make_problem, string_thought

_TRIES_PER_ROW = 50


def tiny_rows(skill: str, num: int, seed: int, exclude_keys: Collection[str]) -> list[Row]:
    """``num`` distinct problems of ``skill`` ("sum" or "string"), spread evenly over its levels.

    The first levels get the rest. None has a key in ``exclude_keys`` or the key of another.
    Raises DataError when a level has too few problems left.
    """
    share, rest = divmod(num, len(levels(skill)))
    taken = set(exclude_keys)
    rows: list[Row] = []
    for place, level in enumerate(levels(skill)):
        rows.extend(_tiny_level(skill, level, share + (place < rest), seed, taken))
    return rows


def _tiny_level(skill: str, level: int, num: int, seed: int, taken: set[str]) -> list[Row]:
    rng = python_rng(seed, "tiny", skill, level)
    rows: list[Row] = []
    for _ in range(_TRIES_PER_ROW * num):
        if len(rows) == num:
            break
        problem = make_problem(rng, skill, level)
        if problem.key in taken:
            continue
        taken.add(problem.key)
        row_id = f"{skill}-{level}-{len(rows):05d}"
        rows.append(
            Row(
                id=row_id,
                prompt=problem.prompt,
                answer=problem.answer,
                verifier="exact",
                skill=skill,
                level=level,
                source="tinyworld",
            )
        )
    if len(rows) < num:
        raise DataError(
            f"tiny world: level {level} of {skill!r} has about {len(rows)} free problems, {num} are asked for"
        )
    return rows


def with_worked_completion(row: Row) -> Row:
    """A string task with its chain, to learn from."""
    thought = string_thought(row.answer, "digits")
    return row.model_copy(update={"completion": f"<think>{thought}</think>{row.answer}"})


def tiny_key(row: Row) -> str:
    """The problem key of a row of the tiny world, for ``exclude_keys`` and for decontamination."""
    return Problem(row.prompt, row.answer, row.skill, row.level or 0).key
