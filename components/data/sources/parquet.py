"""Parquet, one batch of a row group in memory at a time."""

from collections.abc import Collection
from typing import IO, Any

from r1flow.components.core.errors import DataError
from r1flow.components.data.sources.records import BadRow, Broken, Record, Records

BATCH = 512
DAMAGED = "in a damaged part of the Parquet file"


def read_parquet(file: IO[bytes], columns: Collection[str], setting: str) -> Records:
    """Records of a Parquet file: those of ``columns`` that it has, or all.

    The footer says how many rows there are, so every row of a damaged part is put aside by its number and the next row
    group is read. Raises DataError where the footer itself cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file, page_checksum_verification=True)
        counts = [table.metadata.row_group(index).num_rows for index in range(table.num_row_groups)]
        names = [name for name in table.schema_arrow.names if not columns or name in columns]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{setting}: this is no Parquet file that can be read ({_first_line(error)})") from error
    start = 0
    for index, count in enumerate(counts):
        number = start
        try:
            for batch in table.iter_batches(BATCH, row_groups=[index], columns=names):
                for record in _records(batch, number):
                    yield record
                    number += 1
        except (pa.ArrowException, OSError, ValueError) as error:
            shown = _first_line(error)
            yield from (Broken(lost + 1, DAMAGED, shown) for lost in range(number, start + count))
        start += count


def _records(batch: Any, start: int) -> Records:
    """The rows of a batch; one by one where a text in it is not UTF-8."""
    try:
        rows: list[Any] = batch.to_pylist()
    except UnicodeDecodeError:
        rows = [_row(batch.slice(place, 1)) for place in range(batch.num_rows)]
    for number, row in enumerate(rows, start + 1):
        yield Broken(number, str(row)) if isinstance(row, BadRow) else Record(number, row)


def _row(row: Any) -> Any:
    try:
        return row.to_pylist()[0]
    except UnicodeDecodeError:
        return BadRow("not UTF-8")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
