"""Secrets that tests put where people have theirs, and a search for them in whatever a run leaves behind."""

import base64
import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path


def canary(name: str) -> str:
    """A value that nothing else has, recognizable in a report of findings."""
    return f"canary-{name}-5a1c07d2e9"


SECRETS = {
    "AWS_SECRET_ACCESS_KEY": canary("aws"),
    "AWS_SESSION_TOKEN": canary("session"),
    "MLFLOW_TRACKING_PASSWORD": canary("mlflow"),
    "MLFLOW_TRACKING_TOKEN": canary("token"),
    "HF_TOKEN": canary("hub"),
    "PREFECT_API_AUTH_STRING": f"somebody:{canary('prefect')}",
    "OPENAI_API_KEY": canary("foreign"),
}
TRACKING_PASSWORD, STORE_PASSWORD = canary("address"), canary("bucket")


def needles() -> dict[str, bytes]:
    """Every secret as it is, and as HTTP's basic authentication spells it."""
    plain = {value.rpartition(":")[2] for value in SECRETS.values()} | {TRACKING_PASSWORD, STORE_PASSWORD}
    coded = {f"{value} in base64": base64.b64encode(f"somebody:{value}".encode()) for value in plain}
    return {value: value.encode() for value in plain} | coded


def found_in(text: bytes | str) -> list[str]:
    """The secrets that stand in it."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return [name for name, needle in needles().items() if needle in raw]


def search(home: Path) -> list[str]:
    """``file: secret`` for every secret in any file below, also inside databases, Parquet tables and compressed files."""
    findings = []
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            for piece in _pieces(path):
                findings += [f"{path.relative_to(home)}: {name}" for name in found_in(piece)]
    return sorted(set(findings))


def _pieces(path: Path) -> Iterator[bytes | str]:
    yield path.read_bytes()
    match path.suffix:
        case ".db":
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                yield from database.iterdump()  # a long value is cut in pieces in the file
        case ".parquet":
            import pyarrow.parquet as pq  # every test process reads this file; few look into tables

            yield str(pq.read_table(path).to_pylist())
        case ".gz":
            yield gzip.decompress(path.read_bytes())
