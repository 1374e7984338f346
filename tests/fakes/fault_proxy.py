"""An HTTP proxy in front of a real S3 server that does what networks and servers do on bad days, on demand.

::

    with FaultProxy(("127.0.0.1", port)) as proxy:      # AWS_ENDPOINT_URL = proxy.url
        proxy.inject("lose", method="PUT", path="MANIFEST.json", times=2)
        ...
        proxy.count(method="PUT", path="MANIFEST.json")  # how often it was asked for

Faults:

* ``busy``: 503 without asking the server;
* ``reset``: the connection is reset before the request is passed on;
* ``cut_request``: the server gets the first ``after`` bytes of the body and then nothing, the client a reset;
* ``cut_response``: the client gets the first ``after`` bytes of the body and a reset;
* ``lose``: the server does it all, and its answer is lost (success that looks like failure).
"""

import asyncio
import contextlib
import math
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

Kind = Literal["busy", "reset", "cut_request", "cut_response", "lose"]
BUSY = b"<Error><Code>ServiceUnavailable</Code><Message>come back later</Message></Error>"
WAIT_S = 60.0


@dataclass
class Fault:
    """What happens to requests of this method (any by default) whose target has ``path`` in it."""

    kind: Kind
    method: str = ""
    path: str = ""
    times: float = math.inf
    until: float = math.inf  # time.monotonic()
    after: int = 0
    then: Callable[[], None] | None = None  # called when it first strikes
    struck: int = 0

    def strikes(self, request: "Request") -> bool:
        return self.struck < self.times and time.monotonic() < self.until and request.fits(self.method, self.path)


@dataclass(frozen=True)
class Request:
    """One request as the client sent it; ``fault`` is what was done to it."""

    at: float
    method: str
    target: str
    fault: str

    def fits(self, method: str, path: str) -> bool:
        return method in ("", self.method) and path in self.target


class FaultProxy:
    """Listens on a loopback port from ``start`` (or ``with``) to ``close``; every request goes over connections of its own."""

    def __init__(self, upstream: tuple[str, int], port: int = 0) -> None:
        self._upstream, self._port = upstream, port
        self.rewrite = (b"", b"")  # in the heads of requests
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self.requests: list[Request] = []
        self.url = ""

    def inject(
        self,
        kind: Kind,
        *,
        method: str = "",
        path: str = "",
        times: float = math.inf,
        seconds: float = math.inf,
        after: int = 0,
        then: Callable[[], None] | None = None,
    ) -> Fault:
        """From now on, ``times`` times or for ``seconds``; of several faults that fit the one that came first strikes."""
        fault = Fault(kind, method, path, times, time.monotonic() + seconds, after, then)
        with self._lock:
            self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """No fault strikes any more."""
        with self._lock:
            self._faults.clear()

    def count(self, method: str = "", path: str = "") -> int:
        """Requests so far, those that met a fault included."""
        return sum(request.fits(method, path) for request in list(self.requests))

    def start(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(WAIT_S)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def _end(self) -> None:
        self._server.close()
        open_connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # either side went away: that is its right
            head = await reader.readuntil(b"\r\n\r\n")
            method, target = head.split(b" ", 2)[:2]
            fault = self._strike(method.decode(), target.decode())
            if fault is not None and fault.kind == "reset":
                _reset(writer)
                return
            if b"100-continue" in head.lower():
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await _body(reader, head)
            if fault is not None and fault.kind == "busy":
                writer.write(b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BUSY))
                writer.write(b"" if method == b"HEAD" else BUSY)
                await writer.drain()
            elif fault is not None and fault.kind == "cut_request":
                await self._ask(head, body[: fault.after], wait=False)
                _reset(writer)
            else:
                answer = await self._ask(head, body)
                if fault is not None and fault.kind == "lose":
                    _reset(writer)
                    return
                if fault is not None:
                    answer = answer[: answer.index(b"\r\n\r\n") + 4 + fault.after]
                writer.write(answer)
                await writer.drain()
                if fault is not None:
                    await asyncio.sleep(0.02)  # a reset overtakes what the client has not yet read
                    _reset(writer)
        writer.close()

    def _strike(self, method: str, target: str) -> Fault | None:
        request = Request(time.monotonic(), method, target, "")
        with self._lock:
            fault = next((fault for fault in self._faults if fault.strikes(request)), None)
            if fault is not None:
                fault.struck += 1
            self.requests.append(Request(request.at, method, target, fault.kind if fault else ""))
        if fault is not None and fault.then is not None and fault.struck == 1:
            fault.then()
        return fault

    async def _ask(self, head: bytes, body: bytes, *, wait: bool = True) -> bytes:
        """The server's whole answer; without ``wait`` the connection is dropped as soon as the bytes are sent."""
        head = re.sub(rb"(?im)^(connection|expect):.*\r\n", b"", head)
        head = head.replace(*self.rewrite) if self.rewrite[0] else head
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(head[:-2] + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
            return _closing(await reader.read()) if wait else b""
        finally:
            writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    """The request's body as it came, chunks and all."""
    if found := re.search(rb"(?im)^content-length:\s*(\d+)", head):
        return await reader.readexactly(int(found[1]))
    if not re.search(rb"(?im)^transfer-encoding:.*chunked", head):
        return b""
    body, size = b"", 1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + (await reader.readexactly(size + 2) if size else b"")
    while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
        body += trailer
    return body + b"\r\n"


def _closing(answer: bytes) -> bytes:
    """The answer with a header that keeps the client from sending another request over this connection."""
    line, _, rest = answer.partition(b"\r\n")
    head, _, body = rest.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^connection:.*(\r\n|\Z)", b"", head + b"\r\n")
    return line + b"\r\n" + head + b"Connection: close\r\n\r\n" + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST, as a crashed peer or a firewall does."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
