"""One way to keep objects, on a directory or on S3: ``open_store`` is where every other module begins.

Objects are written whole or not at all and, leases apart, never overwritten with other bytes. The S3 rules come from
observed behaviour of s3fs: streaming to a final key publishes a truncated object when the writer fails, and cached
listings miss what other clients wrote, so nothing is streamed and nothing is cached.
"""

import hashlib
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random_exponential,
)

from r1flow.components.core.errors import ConfigError, ObjectMissingError, StoreError, StoreUnavailable
from r1flow.components.core.redact import redact
from r1flow.components.store.failures import PreconditionError, explained_s3, explaining, require_document, s3_answer
from r1flow.components.store.keys import RESERVED, safe_key
from r1flow.components.store.local import LocalStore
from r1flow.components.store.probe import probe

__all__ = ["LocalStore", "ObjectStore", "S3Store", "open_store", "safe_key"]

T = TypeVar("T")
Keys: TypeAlias = list[str]
MAX_RETRIES = 8
CHUNK_BYTES = 16 << 20
_log = logging.getLogger(__name__)


class ObjectStore(Protocol):
    """Objects under keys (relative posix paths, see :func:`safe_key`).

    A missing object raises ObjectMissingError, a store that cannot be reached or written StoreUnavailable, anything
    else a store refuses StoreError; each message names the key.
    """

    uri: str

    def read_bytes(self, key: str) -> bytes:
        """A document: manifest, lease, entry of a log. StoreError for more bytes than any of these has."""
        ...

    def exists(self, key: str) -> bool: ...
    def size(self, key: str) -> int: ...

    def sha256(self, key: str) -> str:
        """Digest of the stored bytes, read in pieces."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Create-if-absent, atomic over all clients; False when an object lies there already."""
        ...

    def put_file(self, path: Path, key: str) -> None:
        """Copy ``path`` to ``key``, atomically. For keys that only ever get these very bytes."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Copy ``key`` to ``path``, atomically; folders are made."""
        ...

    def list(self, prefix: str = "") -> Keys:
        """Keys below the folder ``prefix`` at any depth, sorted."""
        ...

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """The same keys with their objects' sizes in bytes."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when there is none."""
        ...

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Compare-and-swap: ``new`` takes the place of exactly ``old``, else False. For leases alone."""
        ...

    def written_at(self, key: str) -> float:
        """When the object was written by the store's own clock, in seconds since the epoch, to the second."""
        ...

    def abort_uploads(self, older_than_s: float) -> int:
        """Throw away the parts of uploads that began so long ago and never ended (they cost as objects do); how many."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object lies (or would lie) in this file system; None for a remote store."""
        ...

    def probe(self) -> None:
        """Try every promise with a small object; StoreUnavailable names the one that is broken and the fix."""
        ...


def open_store(uri: str, *, deadline_s: float = 60.0) -> ObjectStore:
    """The store at ``uri``: a path, ``file:///path`` or ``s3://bucket/prefix``. Touches nothing yet.

    S3 credentials, region and endpoint come from the usual ``AWS_*`` environment. A request that fails in passing is
    repeated at most eight times and not past ``deadline_s`` seconds, after pauses that double up to 16 s and of which half is
    drawn: together at least 39 s, so that an outage of half a minute passes unnoticed.
    Raises ConfigError for any other scheme, and for a password in the address, which would end up in logs and tags.
    """
    parts = urlsplit(uri) if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", uri) else None
    if parts is None and uri.strip():
        return LocalStore(Path(os.path.abspath(Path(uri).expanduser())))
    if parts and parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return LocalStore(Path(unquote(parts.path)))
    if parts and parts.scheme == "s3" and parts.netloc and not (parts.query or parts.fragment or "@" in parts.netloc):
        prefix = parts.path.strip("/")
        return S3Store(parts.netloc, safe_key(prefix) if prefix else "", deadline_s)
    if parts and "@" in parts.netloc:
        raise ConfigError(
            f"store {redact(uri)!r}: an address takes no user and no password; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), and AWS_ENDPOINT_URL for another server than AWS"
        )
    raise ConfigError(f"store {uri!r} is none of: a path, file:///absolute/path, s3://bucket/prefix")


class S3Store:
    """Objects of one bucket below one prefix."""

    def __init__(self, bucket: str, prefix: str, deadline_s: float) -> None:
        self.bucket = bucket
        self.root = f"{prefix}/" if prefix else ""
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")
        self.deadline_s = deadline_s
        self._connection: tuple[int, Any] | None = None
        self._connecting = threading.Lock()

    def local_path(self, key: str) -> Path | None:
        safe_key(key)
        return None

    def read_bytes(self, key: str) -> bytes:
        from fsspec.asyn import sync

        name = self._name(key)

        async def read(fs: Any) -> bytes:
            response = await fs._call_s3("get_object", Bucket=self.bucket, Key=name)
            async with response["Body"] as body:
                require_document(f"{self.uri}/{key}", int(response["ContentLength"]))
                return bytes(await body.read())

        data: bytes = self._call("read", key, lambda fs: sync(fs.loop, read, fs))
        return data

    def exists(self, key: str) -> bool:
        return self._head(key) is not None

    def size(self, key: str) -> int:
        head = self._head(key)
        if head is None:
            raise ObjectMissingError(f"there is no object {self.uri}/{key}")
        return int(head["ContentLength"])

    def sha256(self, key: str) -> str:
        digest, size = hashlib.sha256(), self.size(key)
        for start in range(0, size, CHUNK_BYTES):
            digest.update(self._piece(key, start, min(start + CHUNK_BYTES, size)))
        return digest.hexdigest()

    def create(self, key: str, data: bytes) -> bool:
        return self._put_if(key, data, IfNoneMatch="*")

    def put_file(self, path: Path, key: str) -> None:
        with explaining("read", str(path)), path.open("rb"):
            pass  # a missing or unreadable source is no fault of the endpoint
        self._call("write", key, lambda fs: fs.put_file(str(path), self._remote(key), max_concurrency=4))

    def get_file(self, key: str, path: Path) -> None:
        temporary = path.with_name(f"{RESERVED}tmp-{uuid.uuid4().hex}")
        with explaining("write", str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._call(f"copy to {path}", key, lambda fs: fs.get_file(self._remote(key), str(temporary)))
            with explaining("write", str(path)):
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Keys:
        return sorted(self.sizes(prefix))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        base = self.root + (f"{safe_key(prefix)}/" if prefix else "")
        found: dict[str, int] = {}
        more: dict[str, str] = {}
        while True:
            page = self._page(base, more)
            objects = ((item["Key"], int(item["Size"])) for item in page.get("Contents", []))
            found |= {
                name[len(self.root) :]: size for name, size in objects if not name.endswith("/")
            }  # consoles' "folders"
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        name = self._name(key)
        self._call("delete", key, lambda fs: fs.call_s3("delete_object", Bucket=self.bucket, Key=name))

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        for _ in range(5):
            head = self._head(key)
            try:
                if head is None or self.read_bytes(key) != old:
                    return False
                if self._put_if(key, new, IfMatch=head["ETag"]):
                    return True
            except ObjectMissingError:  # deleted between the steps
                return False
            # Refused: the object changed after its ETag was taken. The next round compares what lies there now.
        return False

    def written_at(self, key: str) -> float:
        head = self._head(key)
        if head is None:
            raise ObjectMissingError(f"there is no object {self.uri}/{key}")
        return float(head["LastModified"].timestamp())

    def abort_uploads(self, older_than_s: float) -> int:
        stale: list[dict[str, str]] = []
        more: dict[str, str] = {}
        while True:
            page = self._uploads(more)
            stale += [
                {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                for upload in page.get("Uploads", [])
                if (datetime.now(UTC) - upload["Initiated"]).total_seconds() >= older_than_s
            ]
            if not page.get("IsTruncated"):
                break
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
        for upload in stale:
            self._abort(upload)
        return len(stale)

    def probe(self) -> None:
        probe(self)
        key = f"probe/{uuid.uuid4().hex}"
        self.create(key, b"one")
        try:
            if self._put_if(key, b"two", IfMatch='"00000000000000000000000000000000"'):
                raise StoreUnavailable(
                    f"{self.uri} cannot serve as a store: If-Match is ignored, so a lease could be taken twice; use an "
                    "endpoint with conditional writes: AWS S3, MinIO or Ceph of 2025 or later"
                )
        finally:
            self.delete(key)

    def _piece(self, key: str, start: int, end: int) -> bytes:
        piece: bytes = self._call("read", key, lambda fs: fs.cat_file(self._remote(key), start=start, end=end))
        return piece

    def _page(self, base: str, more: dict[str, str]) -> dict[str, Any]:
        ask = {"Bucket": self.bucket, "Prefix": base, **more}
        page: dict[str, Any] = self._call("list", base, lambda fs: fs.call_s3("list_objects_v2", **ask))
        return page

    def _uploads(self, more: dict[str, str]) -> dict[str, Any]:
        ask = {"Bucket": self.bucket, "Prefix": self.root, **more}
        page: dict[str, Any] = self._call(
            "list uploads of", self.root, lambda fs: fs.call_s3("list_multipart_uploads", **ask)
        )
        return page

    def _abort(self, upload: dict[str, str]) -> None:
        key = upload["Key"]
        try:
            self._call(
                "abort the upload of",
                key,
                lambda fs: fs.call_s3("abort_multipart_upload", Bucket=self.bucket, **upload),
            )
        except ObjectMissingError:  # it was ended meanwhile
            return

    def _put_if(self, key: str, data: bytes, **condition: str) -> bool:
        """Conditional write. The writer's mark tells our own earlier attempt, whose answer was lost, from a rival's."""
        mark = uuid.uuid4().hex
        ask = {"Bucket": self.bucket, "Key": self._name(key), "Body": data, "Metadata": {"r1-writer": mark}}
        try:
            self._call("write", key, lambda fs: fs.call_s3("put_object", **ask, **condition))
        except PreconditionError:
            head = self._head(key)
            return head is not None and head.get("Metadata", {}).get("r1-writer") == mark
        return True

    def _head(self, key: str) -> dict[str, Any] | None:
        name = self._name(key)
        try:
            head: dict[str, Any] = self._call(
                "look at", key, lambda fs: fs.call_s3("head_object", Bucket=self.bucket, Key=name)
            )
        except ObjectMissingError:
            return None
        return head

    def _name(self, key: str) -> str:
        if "?versionId=" in safe_key(key):  # s3fs would cut the key there
            raise StoreError(f"key {key!r} is refused: it has '?versionId='")
        return self.root + key

    def _remote(self, key: str) -> str:
        return f"{self.bucket}/{self._name(key)}"

    def _filesystem(self) -> Any:
        """The s3fs object of this process; a forked child makes its own, as its parent's event loop is dead there."""
        with self._connecting:
            if self._connection is None or self._connection[0] != os.getpid():
                import s3fs

                filesystem = s3fs.S3FileSystem(
                    use_listings_cache=False,
                    skip_instance_cache=True,
                    config_kwargs={"connect_timeout": 5, "read_timeout": 30, "retries": {"total_max_attempts": 1}},
                )
                filesystem.retries = 2  # repeats belong to _call, which knows the deadline
                self._connection = (os.getpid(), filesystem)
            return self._connection[1]

    def _call(self, action: str, key: str, request: Callable[[Any], T]) -> T:
        """``request``, repeated while it fails in passing and the deadline allows; its errors as store errors."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.exceptions import ConnectionError as EndpointError
        from s3fs.core import S3_RETRYABLE_ERRORS

        where = f"{self.uri}/{key}"

        def passes(error: BaseException) -> bool:
            code, status = s3_answer(error)
            if (
                code == "NoSuchUpload"
            ):  # ended by a request of ours whose answer was lost, or tidied away: uploaded again
                return True
            return isinstance(error, (EndpointError, *S3_RETRYABLE_ERRORS)) or status in {409, 429} or status >= 500

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            _log.warning("cannot %s %s: %s; trying again in %.1f s", action, where, error, state.upcoming_sleep)

        retrying = Retrying(
            stop=stop_after_attempt(1 + MAX_RETRIES) | stop_before_delay(self.deadline_s),
            wait=wait_exponential(multiplier=0.5, max=8) + wait_random_exponential(multiplier=0.5, max=8),
            retry=retry_if_exception(passes),
            before_sleep=tell,
            reraise=True,
        )
        try:
            return retrying(lambda: request(self._filesystem()))
        except (OSError, BotoCoreError, ClientError, *S3_RETRYABLE_ERRORS) as error:
            raise explained_s3(action, where, error, *s3_answer(error)) from error
