"""Where rows come from: JSONL files, here or on an object store, and the generated problems of the tiny world."""

import gzip
import hashlib
import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote

from components.data.schema import MAX_LINE_BYTES, ColumnMapping, QuarantinedRow, Row, read_rows
from components.errors import ConfigError, DataError, StoreUnavailable
from components.seeds import python_rng
from components.tinyworld.problems import Problem, levels, make_problem

REMOTE_SCHEMES = ("s3", "hf")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CHUNK = 2**20
_TRIES_PER_ROW = 50


def read_source(
    uri: str, mapping: ColumnMapping, source: str, *, setting: str = "source"
) -> tuple[list[Row], list[QuarantinedRow]]:
    """Rows and quarantined lines of the JSONL (or ``.gz``) at ``uri``; ``setting`` is the setting's name, for errors.

    Raises ConfigError for a scheme that is not allowed, DataError for a missing or unreadable file, StoreUnavailable
    when an object store cannot be reached.
    """
    return read_rows(read_lines(uri, setting=setting), mapping, source)


def read_lines(uri: str, *, setting: str = "source") -> Iterator[bytes]:
    """Lines one by one; a line over ``MAX_LINE_BYTES`` is cut just past that, for ``read_rows`` to quarantine."""
    with _open(uri, setting) as raw:
        file = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if uri.endswith(".gz") else raw
        try:
            while line := file.readline(MAX_LINE_BYTES + 1):
                yield line
                while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE_BYTES + 1)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{setting}: {uri!r} is not a whole gzip file ({error}); fetch it again") from error


def source_digest(uri: str, *, setting: str = "source") -> str:
    """SHA-256 (hex) of the stored bytes, before any decompression; it enters the fingerprint of curation."""
    digest = hashlib.sha256()
    with _open(uri, setting) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _open(uri: str, setting: str) -> Iterator[IO[bytes]]:
    match = _SCHEME.match(uri)
    scheme = match[1].lower() if match else "file"
    if "::" in uri or scheme not in ("file", *REMOTE_SCHEMES):
        allowed = "a plain path, file://, s3:// or hf://"
        raise ConfigError(f"{setting}: cannot read {uri!r}; give {allowed}")
    if scheme in REMOTE_SCHEMES:
        file = _open_remote(uri, setting)
    else:
        path = Path(unquote(uri[len("file://") :]) if match else uri)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise DataError(f"{setting}: there is no file {uri!r} (seen from {Path.cwd()})") from None
        except OSError as error:
            raise DataError(f"{setting}: cannot read {uri!r}: {error.strerror}") from error
    with file:
        yield file


def _open_remote(uri: str, setting: str) -> IO[bytes]:
    import fsspec

    try:
        return cast(IO[bytes], fsspec.open(uri, "rb").open())
    except FileNotFoundError:
        raise DataError(f"{setting}: there is no object {uri!r}") from None
    except ImportError as error:
        raise ConfigError(f"{setting}: reading {uri!r} needs a package that is not installed: {error}") from error
    except (
        Exception
    ) as error:  # every file system has exceptions of its own; to the caller all mean "cannot be reached"
        raise StoreUnavailable(f"{setting}: cannot open {uri!r}: {error}") from error


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


def tiny_key(row: Row) -> str:
    """The problem key of a row of the tiny world, for ``exclude_keys`` and for decontamination."""
    return Problem(row.prompt, row.answer, row.skill, row.level or 0).key
