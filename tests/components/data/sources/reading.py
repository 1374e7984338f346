"""What the tests of sources share: reading to the end, rows and quarantined lines apart."""

from pathlib import Path
from typing import Any

from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.sources import read_source
from r1flow.components.data.sources.read import read_rows
from r1flow.components.data.sources.records import Record
from r1flow.components.recipe.data import ColumnMapping, SourceConfig


def read(path: Path | str, **settings: Any) -> tuple[list[Row], list[QuarantinedRow]]:
    """Rows and quarantined lines of a file; ``settings`` are columns, or fields of its source."""
    columns = {name: settings.pop(name) for name in list(settings) if name in ColumnMapping.model_fields}
    source = SourceConfig(uri=str(path), columns=ColumnMapping(**columns), **settings)
    return apart(list(read_source(source, "s", seed=0, setting="data.sources.s")))


def apart(items: list[Row | QuarantinedRow]) -> tuple[list[Row], list[QuarantinedRow]]:
    rows = [item for item in items if isinstance(item, Row)]
    bad = [item for item in items if isinstance(item, QuarantinedRow)]
    assert len(rows) + len(bad) == len(items)
    return rows, bad


def row_of(columns: dict[str, Any], source: SourceConfig | None = None) -> Row | str:
    """The row of one record, or the reason why there is none."""
    (item,) = read_rows(iter([Record(1, columns)]), source or SourceConfig(), "s")
    return item if isinstance(item, Row) else item.reason
