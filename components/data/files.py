"""Rows of the one schema in JSONL files, as artifacts hold them."""

from collections.abc import Iterable
from pathlib import Path

from components.data.schema import Row


def load_rows(path: Path) -> list[Row]:
    """Rows that r1flow itself has written; anything else in the file is an error."""
    with path.open(encoding="utf-8") as lines:
        return [Row.model_validate_json(line) for line in lines]


def dump_rows(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(row.model_dump_json() + "\n" for row in rows)
