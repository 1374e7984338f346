"""SQL over the tables of a store, by DuckDB, for questions that come from anywhere.

A question can read the tables and nothing else. One statement that selects is accepted, so nothing is written, set,
loaded or attached; the file system and the network are closed but for the very files of the tables; no extension is
installed or loaded, no variable of this process is seen, and nothing is spilled to disk. The configuration is locked.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.evals.lake.tables import Source

SETTINGS = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    "preserve_insertion_order": False,
}
COUNTED = "len(ids) AS num_tokens, "  # for lakes from before the column


@dataclass(frozen=True)
class Answer:
    """The names of the columns, at most so many rows as were asked for, and whether there are more."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool


class Lake:
    """The tables of ``sources``, open for questions."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
        self._connection = connection
        self.tables = list(tables)

    def ask(self, sql: str, *, limit: int | None = None) -> Answer:
        """The answer to one SELECT. ConfigError for anything else, with DuckDB's own words for what is wrong in it."""
        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise ConfigError("r1 lake query takes one SELECT; the lake is for reading")
            result = self._connection.execute(statements[0])
            rows = result.fetchall() if limit is None else result.fetchmany(limit + 1)
        except duckdb.Error as error:
            raise ConfigError(f"{error}\nthere are the tables {', '.join(self.tables)}") from error
        columns = [column[0] for column in result.description or ()]
        return Answer(columns, rows[:limit], limit is not None and len(rows) > limit)


@contextmanager
def open_lake(sources: Sequence[Source], *, threads: int | None = None) -> Iterator[Lake]:
    """The tables as views over the files, then the doors closed. DataError where there is no file yet."""
    if not sources:
        raise DataError("the store holds no rollouts and no evaluations yet; `r1 run tiny` makes some")
    tables: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        tables[source.table].append(source)
    config: dict[str, Any] = SETTINGS | ({"threads": threads} if threads else {})
    with duckdb.connect(":memory:", config=config) as connection:
        for name, files in tables.items():
            connection.execute(f"CREATE VIEW {name} AS {_view(name, files)}")
        paths = ", ".join(_quoted(str(source.path)) for source in sources)
        connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield Lake(connection, sorted(tables))


def _view(name: str, files: Sequence[Source]) -> str:
    """One SELECT per artifact, whose facts are constants in it; columns that older files lack are null."""
    by_facts: dict[tuple[tuple[str, str | None], ...], list[Path]] = defaultdict(list)
    for source in files:
        by_facts[source.facts].append(source.path)
    selects = []
    for facts, found in by_facts.items():
        older = name == "rollouts" and "num_tokens" not in pq.read_schema(found[0]).names
        paths = [_quoted(str(path)) for path in found]
        constants = ", ".join(f"{_quoted(value)}::VARCHAR AS {column}" for column, value in facts)
        selects.append(
            f"SELECT {constants}, {COUNTED if older else ''}* FROM read_parquet([{', '.join(paths)}], union_by_name = true)"
        )
    return " UNION ALL BY NAME ".join(selects)


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"
