"""Does this store keep the promises that artifacts and leases rest on? Found out by doing it."""

import time
import uuid
from typing import TYPE_CHECKING

from r1flow.components.core.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from r1flow.components.store.objects import ObjectStore


def probe(store: "ObjectStore") -> None:
    """Write, read, create twice, swap and delete one small object; StoreUnavailable names the first promise broken."""
    key = f"probe/{uuid.uuid4().hex}"
    try:
        _exercise(store, key)
    except StoreUnavailable:
        raise
    except StoreError as error:
        raise StoreUnavailable(f"{store.uri} cannot serve as a store: {error}") from error


def clock_difference(store: "ObjectStore") -> float:
    """Seconds by which the store's clock is ahead of this machine's, give or take a second or two.

    Leases are taken over by wall-clock time: machines that share a store must agree within a third of a lease's life.
    """
    key, before = f"probe/{uuid.uuid4().hex}", time.time()
    store.create(key, b"now")
    try:
        return store.written_at(key) - (before + time.time()) / 2
    finally:
        store.delete(key)


def _exercise(store: "ObjectStore", key: str) -> None:
    _expect(store, store.create(key, b"one"), "the first create of an object is refused")
    try:
        _expect(store, store.read_bytes(key) == b"one", "a read does not return what was written")
        _expect(store, key in store.list("probe"), "a listing lacks an object that was just written")
        _expect(
            store,
            not store.create(key, b"two"),
            "a second create overwrites the first (If-None-Match is ignored); use a store with conditional writes: "
            "a local directory, AWS S3, MinIO or Ceph of 2025 or later",
        )
        _expect(store, not store.swap(key, b"two", b"three"), "a swap succeeds on bytes that are not there")
        _expect(store, store.swap(key, b"one", b"two"), "a swap of the present bytes is refused")
        _expect(store, store.read_bytes(key) == b"two", "a read after an overwrite returns the old bytes")
    finally:
        store.delete(key)
    _expect(store, not store.exists(key), "a deleted object is still there")


def _expect(store: "ObjectStore", kept: bool, broken: str) -> None:
    if not kept:
        raise StoreUnavailable(f"{store.uri} cannot serve as a store: {broken}")
