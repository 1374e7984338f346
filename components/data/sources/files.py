"""Files by path or address, here or on an object store; compressed ones decompressed as they are read."""

import gzip
import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast
from urllib.parse import unquote

from r1flow.components.core.errors import ConfigError, DataError, StoreUnavailable

REMOTE_SCHEMES = ("s3", "hf")
PACKED = (".gz", ".zst")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CHUNK = 2**20
_BUFFER = 2**16


def format_of(uri: str) -> tuple[str, str]:
    """The suffix that says the format, and that of the compression ("" where there is none), both in lower case.

    >>> format_of("s3://b/Train.JSONL.gz"), format_of("a.parquet")
    (('.jsonl', '.gz'), ('.parquet', ''))
    """
    path = PurePosixPath(uri.lower())
    packed = path.suffix if path.suffix in PACKED else ""
    return (PurePosixPath(path.stem).suffix if packed else path.suffix), packed


@contextmanager
def open_source(uri: str, setting: str) -> Iterator[IO[bytes]]:
    """The bytes as they are stored; ``setting`` is the setting's name, for errors.

    Raises ConfigError for a scheme that is not allowed, DataError for a missing or unreadable file, StoreUnavailable
    when an object store cannot be reached.
    """
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
        except ValueError as error:  # a null byte in the path
            raise DataError(f"{setting}: cannot read {uri!r}: {error}") from error
    with file, io.BufferedReader(_Guarded(file, uri, setting), _BUFFER) as guarded:
        yield guarded


class _Guarded(io.RawIOBase):
    """The stored bytes; when they cannot be fetched, that is no property of the data and must not pass for a short file."""

    def __init__(self, file: IO[bytes], uri: str, setting: str) -> None:
        self.file, self.uri, self.setting = file, uri, setting

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self.file.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def readinto(self, buffer: Any) -> int:
        try:
            found = self.file.read(len(buffer))
        except Exception as error:  # every file system has exceptions of its own
            raise StoreUnavailable(f"{self.setting}: reading {self.uri!r} broke off: {error}") from error
        buffer[: len(found)] = found
        return len(found)


def decompressed(raw: IO[bytes], packed: str) -> IO[bytes]:
    """The stream behind ``raw``. Where it is cut off or broken, reading raises OSError, EOFError or zlib.error."""
    if packed == ".gz":
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if packed == ".zst":
        import pyarrow as pa

        stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
        return cast(IO[bytes], io.BufferedReader(stream))
    return raw


def source_digest(uri: str, *, setting: str = "source") -> str:
    """SHA-256 (hex) of the stored bytes, before any decompression; it enters the fingerprint of curation."""
    digest = hashlib.sha256()
    with open_source(uri, setting) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


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
