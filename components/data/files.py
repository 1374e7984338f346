"""Rows of the one schema in JSONL files, as artifacts hold them."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row


def load_rows(path: Path) -> list[Row]:
    """Rows that r1flow itself has written; anything else in the file is a DataError naming the line."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                rows.append(Row.model_validate_json(line))
            except ValidationError as error:
                raise DataError(f"{path}, line {number}: not a row that r1flow wrote: {error}") from error
    return rows


def dump_rows(rows: Iterable[Row], path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(row.model_dump_json() + "\n" for row in rows)
