"""JSON lines over the socket pair that ties a program to the process that wants it."""

import json
import socket
import time
from typing import Any

START_S = 180.0
"""The longest a start may take: an import of torch and transformers on a loaded machine takes tens of seconds."""
CLOSED = -1
"""The descriptor of a socket that has been closed."""


class Channel:
    """One end of a connected stream socket that carries one JSON object per line. For one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def fileno(self) -> int:
        """The descriptor, for ``select``."""
        return self._connection.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Write one message. Raises ``BrokenPipeError`` where the other end is gone, or another thread has closed this one."""
        try:
            self._connection.settimeout(START_S)
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            if self.fileno() == CLOSED:
                raise BrokenPipeError("this end of the lifeline is closed") from error
            raise

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """The next message, or None after ``timeout_s``. Raises ``EOFError`` where the other end is gone, or another thread has
        closed this one."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            try:
                # A time-out of 0 would mean non-blocking mode, with another exception.
                self._connection.settimeout(max(deadline - time.monotonic(), 1e-3))
                received = self._connection.recv(65536)
            except TimeoutError:
                return None
            except ConnectionResetError:  # the other end closed with a message of ours unread
                received = b""
            except OSError as error:
                if self.fileno() == CLOSED:
                    raise EOFError("this end of the lifeline is closed") from error
                raise
            if not received:
                raise EOFError("the other end of the lifeline is closed")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """Close this end; the other end sees end of file."""
        self._connection.close()
