"""Two programs that call each other's functions over two pipes, in frames of plain data.

A frame is four bytes of length and JSON: ``{"call": n, "of": name or handle, "args", "kwargs"}`` is answered by
``{"reply": n, ...}`` with ``value``, ``raised`` (type names and text) or ``lost`` (why there can be no value). Frames
that come in between are calls back, served at once. A reply carries the arguments too where the call changed them.
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Callable
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from r1flow.components.rewards.code.programs.plain_data import NotPlain, decode, dumps, encode
else:
    from plain_data import NotPlain, decode, dumps, encode

READ, WRITE = 3, 4
MAX_FRAME = 16 * 2**20


class Lost(BaseException):
    """The other side gives no value and will give none: a test's ``except Exception`` does not catch it."""

    def __init__(self, reason: str, verdict: str = "WRONG", *, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.verdict, self.gone = reason, verdict, gone


class Peer:
    """One end. ``lookup`` gives the function behind a name, or raises Lost; it may be called by the other side.

    ``seconds`` bounds each outermost call. ``lost`` is the first Lost that was raised here: it stands, caught or not.
    """

    def __init__(self, lookup: Callable[[str], Any], seconds: float | None = None) -> None:
        self.lookup, self.seconds = lookup, seconds
        self.lost: Lost | None = None
        self.calls = 0
        self._handles: list[Any] = []
        self._deadline: float | None = None
        self._depth = 0

    def call(self, of: str | int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The other side's result; its exception as one of the same name; Lost when it cannot answer."""
        self.calls += 1
        number = self.calls
        if self.lost is not None:
            raise self.lost
        plain = self._plain([list(args), kwargs], "an argument is")
        frame = {"call": number, "of": of, "args": plain[0], "kwargs": plain[1]}
        if self._depth == 0 and self.seconds is not None:
            self._deadline = time.monotonic() + self.seconds
        self._depth += 1
        try:
            self.send(frame)
            return self._result(self._wait(number), args)
        except Lost as lost:
            self.lost = self.lost or lost
            raise
        finally:
            self._depth -= 1

    def serve(self) -> None:
        """Answer calls until the other side closes its pipe (Lost)."""
        while True:
            self._answer(self.receive())

    def greet(self) -> None:
        """Say that this side runs; the clocks of calls begin after it."""
        self.send({"hello": 1})

    def await_greeting(self, seconds: float) -> bool:
        """Whether the other side has started within ``seconds``. It greets before anybody's program is loaded."""
        try:
            return self.receive(time.monotonic() + seconds) == {"hello": 1}
        except Lost:
            return False

    def send(self, frame: dict[str, Any]) -> None:
        data = dumps(frame)
        if len(data) > MAX_FRAME:
            raise Lost(f"a message of {len(data)} bytes")
        view = memoryview(len(data).to_bytes(4, "big") + data)
        try:
            while view:
                view = view[os.write(WRITE, view) :]
        except OSError:
            raise Lost("the program ended", gone=True) from None

    def receive(self, deadline: float | None = None) -> dict[str, Any]:
        """The next frame. Lost at the end of the pipe, past the deadline, and for what is no frame."""
        length = int.from_bytes(self._read(4, deadline), "big")
        if length > MAX_FRAME:
            raise Lost(f"a message of {length} bytes")
        data = self._read(length, deadline)
        try:
            frame = json.loads(data)
        except (ValueError, RecursionError):
            raise Lost("a message that is no JSON") from None
        if not isinstance(frame, dict):
            raise Lost("a message that is no frame")
        return frame

    def _read(self, size: int, deadline: float | None) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([READ], [], [], left)[0]:
                    raise Lost(f"no answer within {self.seconds} s", "TIMEOUT")
            try:
                part = os.read(READ, min(size - len(parts), 2**20))
            except OSError:
                part = b""
            if not part:
                raise Lost("the program ended", gone=True)
            parts += part
        return bytes(parts)

    def _wait(self, number: int) -> dict[str, Any]:
        while True:
            frame = self.receive(self._deadline)
            if frame.get("reply") == number:
                return frame
            if "call" not in frame:
                raise Lost("an answer to nothing that was asked")
            self._answer(frame)

    def _result(self, frame: dict[str, Any], args: tuple[Any, ...]) -> Any:
        if "lost" in frame:
            raise Lost(str(frame["lost"])[:300])
        try:
            if "args" in frame:
                update(list(args), decode(frame["args"], self._remote))
            if "raised" not in frame:
                return decode(frame["value"], self._remote)
            raised = exception(frame["raised"])
        except Exception as error:  # whatever the other side wrote, it was no value
            raise Lost(f"a result that cannot be read ({type(error).__name__})") from None
        raise raised

    def _answer(self, frame: dict[str, Any]) -> None:
        number = frame.get("call")
        try:
            args, kwargs = decode(frame["args"], self._remote), decode(frame["kwargs"], self._remote)
            function = self._function(frame["of"])
            value = function(*args, **kwargs)
            reply = {"reply": number, "value": self._plain(value, "it returns")}
        except Lost as lost:
            reply = {"reply": number, "lost": lost.reason}
        except SystemExit:
            reply = {"reply": number, "lost": "it ends the program (SystemExit)"}
        except BaseException as error:  # a program's own exception, of whatever kind, is its answer
            reply = {"reply": number, "raised": description(error)}
        if "lost" not in reply:
            try:
                final = encode(args, self._local)
                if final != frame["args"]:
                    reply["args"] = final
            except NotPlain:
                pass  # the arguments were put to a use that has no plain form; the result alone goes back
        self.send(reply)

    def _function(self, of: Any) -> Any:
        if isinstance(of, str):
            return self.lookup(of)
        if isinstance(of, int) and 0 <= of < len(self._handles):
            return self._handles[of]
        raise Lost("a call of nothing that was given")

    def _plain(self, value: Any, subject: str) -> Any:
        try:
            return encode(value, self._local)
        except NotPlain as error:
            raise Lost(f"{subject} {error}, which does not cross as plain data") from None

    def _local(self, function: Any) -> int:
        self._handles.append(function)
        return len(self._handles) - 1

    def _remote(self, handle: int) -> Any:
        return lambda *args, **kwargs: self.call(handle, args, kwargs)


def description(error: BaseException) -> dict[str, Any]:
    """An exception as plain data: the names of its classes, most special first, and its text."""
    try:
        only = error.args[0] if len(error.args) == 1 else None
        text = (only if type(only) is str else str(error))[:2000]
    except Exception:  # an exception whose own text fails
        text = ""
    return {"names": [kind.__name__ for kind in type(error).__mro__], "text": text}


def exception(raised: Any) -> Exception:
    """An exception of the first named class that is built in, with the sender's class name and text."""
    import builtins

    names, text = [str(name)[:100] for name in raised["names"]], str(raised["text"])
    if "StopIteration" in names or "StopAsyncIteration" in names:  # it would end a loop of the tests in silence
        names = ["RuntimeError"]
    for name in names:
        base = getattr(builtins, name, None)
        if isinstance(base, type) and issubclass(base, Exception):
            break
    else:
        base = Exception
    try:
        kind = base if names[0] == base.__name__ else type(names[0], (base,), {})
        return kind(text)  # type: ignore[no-any-return]
    except TypeError:  # a class whose instances need more than a text
        return type(names[0], (base.__mro__[1],), {})(text)  # type: ignore[no-any-return]


def update(old: Any, new: Any) -> None:
    """Bring a mutable argument to the state it has on the other side, in place, also inside; other types stay."""
    if type(old) is not type(new):
        return
    if isinstance(old, list):
        if len(old) == len(new):
            old[:] = [_updated(old[index], new[index]) for index in range(len(old))]
        else:
            old[:] = new
    elif isinstance(old, dict):
        merged = {key: _updated(old[key], item) if key in old else item for key, item in new.items()}
        old.clear()
        old.update(merged)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new
    elif type(old).__name__ == "deque":
        old.clear()
        old.extend(new)


def _updated(old: Any, new: Any) -> Any:
    """``old`` itself, brought up to date, where it can be; else ``new``. Tuples keep the identity of what they hold."""
    if type(old) is type(new) and isinstance(old, (list, dict, set, bytearray)):
        update(old, new)
        return old
    if type(old) is type(new) and isinstance(old, tuple) and len(old) == len(new):
        return tuple(_updated(old[index], new[index]) for index in range(len(old)))
    return new
