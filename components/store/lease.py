"""One process at a time: a small object that its holder renews, and that others take over once the holder is dead.

A lease saves work, it does not protect data: a holder that was paused past its expiry may wake up beside its successor,
and then create-if-absent decides between their results. Expiry is wall-clock time, so the clocks of the machines that
share a store must agree within about a third of ``ttl_s``.
"""

import json
import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from r1flow.components.core.errors import LeaseHeldError, LeaseLostError, ObjectMissingError, StoreError
from r1flow.components.store.keys import safe_key
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.process import is_alive, started_at, this_machine

_log = logging.getLogger(__name__)


class Lease:
    """``leases/<name>.json``, held from ``acquire`` to ``release``; ``with Lease(...)`` does both, without waiting.

    ``holder`` adds facts for people (a run's id) to host, pid and expiry. While it is held a thread renews it every
    third of ``ttl_s``.
    """

    def __init__(
        self, store: ObjectStore, name: str, *, ttl_s: float = 60.0, holder: Mapping[str, Any] | None = None
    ) -> None:
        self.store = store
        self.key = safe_key(f"leases/{name}.json")
        self.ttl_s = ttl_s
        self._holder = dict(holder or {})
        self._token = uuid.uuid4().hex
        self._body = b""
        self._expires = 0.0
        self._lost = False
        self._renewing = threading.Lock()
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether it was acquired and not yet released."""
        return self._heart is not None

    @property
    def lost(self) -> bool:
        """Whether it can no longer be proved ours: somebody took it over, or it expired before it could be renewed."""
        return self.held and (self._lost or time.time() >= self._expires)

    def acquire(self, wait_s: float = 0.0) -> None:
        """Take the lease; LeaseHeldError, naming holder and expiry, if it is not to be had within ``wait_s`` seconds.

        It is free when there is none, when it has expired, and at once when its holder ran on this machine and is dead.
        """
        give_up, pause, races = time.monotonic() + wait_s, 0.1, 0
        while True:
            expires, body = self._next()
            if self.store.create(self.key, body):
                break
            raw, other = self._read()
            if raw is None or self._is_free(other):
                if raw is not None and self.store.swap(self.key, raw, body):
                    break
                races += 1
                if races <= 20:  # given back, or taken by somebody quicker, just now: look again
                    continue
            left = give_up - time.monotonic()
            if left <= 0:
                raise LeaseHeldError(
                    f"{self.store.uri}/{self.key} is held by {_describe(other)}; wait for it or end it"
                )
            time.sleep(min(pause, left) * random.uniform(0.5, 1.0))
            pause = min(pause * 2, 2.0)
        self._body, self._expires, self._lost = body, expires, False
        self._stop.clear()
        self._heart = threading.Thread(target=self._beat, name=f"lease {self.key}", daemon=True)
        self._heart.start()

    def confirm(self) -> None:
        """Prove that it is still ours, for another ``ttl_s``; LeaseLostError where somebody has taken it over.

        To be asked before a result is written down, and whenever it seems ``lost``: a process that was paused past the
        expiry keeps a lease that nobody wanted meanwhile.
        """
        if self._lost or not self._renew():
            self._lost = True
            raise LeaseLostError(
                f"{self.store.uri}/{self.key} expired while this process was paused or cut off, and was taken over"
            )

    def release(self) -> None:
        """Give it back if it is still ours. A store that refuses is logged, not raised: the lease expires by itself."""
        if self._heart is None:
            return
        self._stop.set()
        self._heart.join(timeout=self.ttl_s)
        try:
            # Renewed first: success proves it ours and leaves a whole ttl_s in which nobody may take it.
            if not self._lost and self._renew():
                self.store.delete(self.key)
        except StoreError as error:
            _log.warning("the lease %s could not be given back and will expire: %s", self.key, error)
        self._heart = None

    def __enter__(self) -> Self:
        if not self.held:
            self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def _next(self) -> tuple[float, bytes]:
        expires = time.time() + self.ttl_s
        facts = {
            **self._holder,
            "host": socket.gethostname(),
            "machine": this_machine(),
            "pid": os.getpid(),
            "started": started_at(os.getpid()),
            "token": self._token,
            "expires": expires,
        }
        return expires, json.dumps(facts, sort_keys=True).encode()

    def _read(self) -> tuple[bytes | None, dict[str, Any]]:
        try:
            raw = self.store.read_bytes(self.key)
        except ObjectMissingError:  # given back since the create
            return None, {}
        try:
            other = json.loads(raw)
            known = {"pid": int, "started": float, "token": str, "expires": float}
            return raw, {**other, **{name: convert(other[name]) for name, convert in known.items()}}
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{self.store.uri}/{self.key} is no lease ({error!r}): delete it") from error

    def _is_free(self, other: Mapping[str, Any]) -> bool:
        if other["token"] == self._token or other["expires"] <= time.time():
            return True
        return other.get("machine") == this_machine() and not is_alive(other["pid"], other["started"])

    def _renew(self) -> bool:
        with self._renewing:
            expires, body = self._next()
            if not self.store.swap(self.key, self._body, body):
                # An earlier renewal of ours may have arrived though its answer did not, until the store gave up.
                raw = self.store.read_bytes(self.key) if self.store.exists(self.key) else b""
                if self._token.encode() not in raw or not self.store.swap(self.key, raw, body):
                    return False
            self._body, self._expires = body, expires
            return True

    def _beat(self) -> None:
        while not self._stop.wait(self.ttl_s / 3):
            try:
                if not self._renew():
                    self._lost = True
                    _log.error("the lease %s was taken over; stop the work that it guards", self.key)
                    return
            except StoreError as error:  # the store may be back before the lease expires
                _log.warning("the lease %s could not be renewed: %s", self.key, error)


def read_lease(store: ObjectStore, name: str) -> tuple[dict[str, Any], bool]:
    """What the holder of a lease says of itself, and whether the lease may be taken; nothing and True where there is none."""
    lease = Lease(store, name)
    raw, holder = lease._read()
    return holder, raw is None or lease._is_free(holder)


def _describe(holder: Mapping[str, Any]) -> str:
    if not holder:
        return "a process that keeps giving it back and taking it again"
    until = datetime.fromtimestamp(holder["expires"], UTC).isoformat(timespec="seconds")
    hidden = {"host", "pid", "machine", "started", "token", "expires"}
    facts = "".join(f", {name} {value}" for name, value in sorted(holder.items()) if name not in hidden)
    return f"process {holder.get('pid')} on {holder.get('host')}{facts}, until {until} unless it renews"
