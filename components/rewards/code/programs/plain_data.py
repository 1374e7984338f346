"""Values as plain data: JSON, extended by tags, so that no object of one program ever exists in another.

A tagged value is ``{"~": kind, "v": payload}``. What is decoded is made of the interpreter's own types, whatever class
the sender had: a number that says it equals everything arrives as a number. Nothing decoded runs a sender's code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

TAG = "~"
MAX_DRAINED = 10_000
"""Items taken from a generator or another iterator; the receiver's iterator fails behind them."""
INT64 = 2**63


class NotPlain(Exception):
    """A value that has no plain form: an object of a class of the program's own, a module, a file."""


class Match:
    """What is left of a regular expression's match on the other side: true, its groups and where they lie."""

    def __init__(self, groups: list[Any], spans: list[Any], names: dict[str, int]) -> None:
        self._groups, self._spans, self._names = groups, spans, names

    def group(self, *wanted: Any) -> Any:
        found = [self._groups[self._names.get(one, one)] for one in wanted or (0,)]
        return found[0] if len(found) == 1 else tuple(found)

    __getitem__ = group

    def groups(self, default: Any = None) -> tuple[Any, ...]:
        return tuple(default if group is None else group for group in self._groups[1:])

    def groupdict(self) -> dict[str, Any]:
        return {name: self._groups[index] for name, index in self._names.items()}

    def span(self, which: Any = 0) -> tuple[int, int]:
        first, last = self._spans[self._names.get(which, which)]
        return first, last

    def start(self, which: Any = 0) -> int:
        return self.span(which)[0]

    def end(self, which: Any = 0) -> int:
        return self.span(which)[1]


Encoder = Callable[[Any], Any]
Function = Callable[[int], Any]


def dumps(value: Any) -> bytes:
    """An encoded value as bytes; ASCII, so that lone surrogates survive."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def encode(value: Any, function: Encoder | None = None) -> Any:
    """``value`` as JSON with tags. ``function`` turns a callable into a handle. NotPlain for what has no plain form."""
    try:
        return _encode(value, function)
    except RecursionError:
        raise NotPlain("nested too deeply") from None


def decode(value: Any, function: Function | None = None) -> Any:
    """The value that ``encode`` took, in built-in types. ``function`` turns a handle back into a callable.

    Where it is nothing that ``encode`` wrote: ValueError, TypeError, LookupError, AttributeError, ArithmeticError or
    RecursionError.
    """
    if isinstance(value, list):
        return [decode(item, function) for item in value]
    if not isinstance(value, dict):
        return value
    if TAG not in value:
        return {key: decode(item, function) for key, item in value.items()}
    kind, payload = value[TAG], value.get("v")
    if kind == "function":
        if function is None:
            raise ValueError("a function where none may be")
        return function(int(value["v"]))
    if kind == "iterator":
        return _drained(decode(payload, function), value.get("cut") is True)
    return _DECODERS[kind](decode(payload, function))


def _encode(value: Any, function: Encoder | None) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -INT64 <= value < INT64 else _tag("int", hex(value))
    if kind is float:
        return value if value - value == 0 else _tag("float", repr(value))
    if kind is list:
        return [_encode(item, function) for item in value]
    if kind is dict:
        if all(type(key) is str for key in value) and TAG not in value:
            return {key: _encode(item, function) for key, item in value.items()}
        return _tag("dict", _pairs(value, function))
    return _encode_tagged(value, kind, function)


def _encode_tagged(value: Any, kind: type, function: Encoder | None) -> Any:
    for base, name, payload in _ENCODERS:
        if isinstance(value, base):
            return _tag(name, [_encode(item, function) for item in payload(value)])
    for base, plain in _SUBCLASSED:
        if isinstance(value, base):
            return _encode(plain(value), function)
    if isinstance(value, type):
        return _tag("type", _known_type(value))
    library = _encode_library(value, kind, function)
    if library is not None:
        return library
    if hasattr(kind, "__next__"):
        return _encode_iterator(value, function)
    if callable(value) and function is not None:
        return _tag("function", function(value))
    raise NotPlain(f"an object of the class {kind.__name__}")


def _encode_library(value: Any, kind: type, function: Encoder | None) -> Any:
    """Types of the standard library, known by name so that nothing is imported for them on this side."""
    name, module = kind.__name__, kind.__module__
    if module in ("decimal", "_decimal") and name == "Decimal":
        return _tag("Decimal", str(value))
    if module == "fractions" and name == "Fraction":
        return _tag("Fraction", [_encode(value.numerator, None), _encode(value.denominator, None)])
    if module == "datetime" and name in ("date", "datetime", "time"):
        return _tag(name, value.isoformat())
    if module == "datetime" and name == "timedelta":
        return _tag(name, [value.days, value.seconds, value.microseconds])
    if module == "collections" and name == "deque":
        return _tag(name, [[_encode(item, function) for item in value], value.maxlen])
    if module == "re" and name == "Match":
        spans = [value.span(index) for index in range(len(value.groups()) + 1)]
        return _tag(name, [[value[0], *value.groups()], [list(span) for span in spans], dict(value.re.groupindex)])
    if module == "collections" and name in ("OrderedDict", "Counter"):
        return _tag(name, _pairs(value, function))
    return _tag("dict", _pairs(value, function)) if isinstance(value, dict) else None


def _encode_iterator(value: Any, function: Encoder | None) -> Any:
    items: list[Any] = []
    for item in value:
        if len(items) == MAX_DRAINED:
            return {TAG: "iterator", "v": items, "cut": True}
        items.append(_encode(item, function))
    return {TAG: "iterator", "v": items}


def _pairs(value: dict[Any, Any], function: Encoder | None) -> list[Any]:
    return [[_encode(key, function), _encode(item, function)] for key, item in dict.items(value)]


def _tag(kind: str, payload: Any) -> dict[str, Any]:
    return {TAG: kind, "v": payload}


def _known_type(value: type) -> str:
    import builtins

    if getattr(builtins, value.__name__, None) is not value:
        raise NotPlain(f"the class {value.__name__}")
    return value.__name__


def _drained(items: list[Any], cut: bool) -> Any:
    yield from items
    if cut:
        raise ValueError(f"more than {MAX_DRAINED} items are taken from an iterator")


def _type(name: str) -> type:
    import builtins

    value = getattr(builtins, name)
    if not isinstance(value, type):
        raise ValueError(f"{name!r} is no type")
    return value


def _from(module: str, name: str) -> Any:
    return getattr(__import__(module), name)


_ENCODERS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (range, "range", lambda value: (value.start, value.stop, value.step)),
    (complex, "complex", lambda value: (value.real, value.imag)),
    (tuple, "tuple", tuple.__iter__),
    (set, "set", set.__iter__),
    (frozenset, "frozenset", frozenset.__iter__),
    (bytes, "bytes", lambda value: (bytes.decode(value, "latin-1"),)),
    (bytearray, "bytearray", lambda value: (bytearray.decode(value, "latin-1"),)),
    (type({}.keys()), "keys", list),
    (type({}.values()), "values", list),
    (type({}.items()), "items", list),
)
_SUBCLASSED: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__index__),
    (float, float.__float__),
    (str, str.__str__),
    (list, lambda value: list(list.__iter__(value))),
)
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "dict": dict,
    "range": lambda parts: range(*parts),
    "complex": lambda parts: complex(*parts),
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "bytes": lambda parts: parts[0].encode("latin-1"),
    "bytearray": lambda parts: bytearray(parts[0], "latin-1"),
    "keys": lambda items: dict.fromkeys(items).keys(),
    "values": lambda items: dict(enumerate(items)).values(),
    "items": lambda items: dict(items).items(),
    "type": _type,
    "Decimal": lambda text: _from("decimal", "Decimal")(text),
    "Fraction": lambda parts: _from("fractions", "Fraction")(parts[0], parts[1]),
    "date": lambda text: _from("datetime", "date").fromisoformat(text),
    "datetime": lambda text: _from("datetime", "datetime").fromisoformat(text),
    "time": lambda text: _from("datetime", "time").fromisoformat(text),
    "timedelta": lambda parts: _from("datetime", "timedelta")(*parts),
    "deque": lambda parts: _from("collections", "deque")(*parts),
    "Match": lambda parts: Match(*parts),
    "OrderedDict": lambda pairs: _from("collections", "OrderedDict")(pairs),
    "Counter": lambda pairs: _from("collections", "Counter")(dict(pairs)),
}
