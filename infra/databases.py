"""``python -m infra.databases NAME...`` makes the databases that are not there yet on the server that PGHOST and so on name."""

import sys
import time

import psycopg
from psycopg import sql

START_S = 60.0


def main(names: list[str]) -> None:
    """Waits for a server that is still starting. Raises what psycopg raises, when that lasts."""
    with connected() as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in names:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                print(f"made the database {name}")


def connected() -> "psycopg.Connection[tuple[str]]":
    """A connection to the maintenance database."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return psycopg.connect(dbname="postgres", autocommit=True, connect_timeout=10)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    main(sys.argv[1:])
