"""The header of a GGUF file, walked within bounds.

The readers in ``gguf`` and transformers believe a header: a count of 2**60 keeps them busy for ever, and a string that ends
behind the file's end is cut in silence. So this comes first, and nothing else is read from a file that fails.
"""

import math
import mmap
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ModelError

VERSIONS = (2, 3)
MAX_FIELDS = 1 << 12
MAX_ELEMENTS = 1 << 21
"""In all arrays together: tokens, their scores and kinds, merges. Four times those of the largest vocabularies."""
MAX_TENSORS = 1 << 17
MAX_ALIGNMENT = 1 << 16
MAX_DIMENSIONS = 4
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class GgufHeader:
    """What a file says of itself; its tensors lie inside it and apart from each other."""

    fields: Mapping[str, Any]
    """Numbers and strings by name; of an array its length."""
    shapes: Mapping[str, tuple[int, ...]]
    """By the file's own names."""
    types: Mapping[str, int]
    """How many tensors are stored in each type (``F32``, ``Q4_K``)."""
    bytes: int
    """Of all tensors."""

    @property
    def numbers(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes.values())

    def __str__(self) -> str:
        """
        >>> str(GgufHeader({"general.architecture": "llama"}, {"a": (32, 2), "b": (16,)}, {"Q4_0": 1, "F32": 1}, 100))
        'architecture llama, tensors in 1 F32 and 1 Q4_0, 10.00 bits per weight'
        """
        types = " and ".join(f"{count} {name}" for name, count in sorted(self.types.items()))
        bits = 8 * self.bytes / self.numbers
        return f"architecture {self.fields['general.architecture']}, tensors in {types}, {bits:.2f} bits per weight"


class _Walk:
    """Values one after the other; every read lies inside the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at, self.elements = data, 0, 0

    def take(self, form: str) -> tuple[Any, ...]:
        size = struct.calcsize("<" + form)
        if size > len(self.data) - self.at:
            raise ValueError(f"cut off at byte {len(self.data):,}: {size:,} bytes more should follow byte {self.at:,}")
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += size
        return values

    def count(self, limit: int, of: str, form: str = "Q") -> int:
        (number,) = self.take(form)
        if number > limit:
            raise ValueError(f"says it has {number:,} {of}; at most {limit:,} are read")
        return int(number)

    def string(self) -> str:
        length = self.count(len(self.data) - self.at, "bytes in a string")
        text = self.take(f"{length}s")[0]
        return bytes(text).decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.take(_SCALARS[kind])[0]
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            raise ValueError(f"a field of the unknown type {kind}")
        (inner,) = self.take("I")
        count = self.count(MAX_ELEMENTS - self.elements, "elements in arrays")
        self.elements += count
        if inner in _SCALARS:
            self.take(f"{count}{_SCALARS[inner]}")
        elif inner == _STRING:
            for _ in range(count):
                self.string()
        else:
            raise ValueError(f"an array of the type {inner}")
        return count


def read_header(path: Path) -> GgufHeader:
    """The header of the GGUF file at ``path``; :class:`ModelError` naming it where it is cut off, broken or made to deceive."""
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise ValueError("empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _header(_Walk(data))
    except (ValueError, OSError) as error:
        raise ModelError(f"{path}: not a GGUF file that can be read: {error}; fetch it again") from error


def _header(walk: _Walk) -> GgufHeader:
    magic, version = walk.take("4sI")
    if magic != b"GGUF" or version not in VERSIONS:
        raise ValueError(f"it begins with {magic!r} and version {version}, not with b'GGUF' and 2 or 3")
    tensors, count = walk.count(MAX_TENSORS, "tensors"), walk.count(MAX_FIELDS, "fields")
    fields: dict[str, Any] = {}
    for _ in range(count):
        name = walk.string()
        if name in fields:
            raise ValueError(f"the field {name[:200]} twice")
        fields[name] = walk.value(walk.take("I")[0])
    architecture, alignment = fields.get("general.architecture"), fields.get("general.alignment", 32)
    if not isinstance(architecture, str):
        raise ValueError("no general.architecture")
    if not isinstance(alignment, int) or alignment.bit_count() != 1 or not 0 < alignment <= MAX_ALIGNMENT:
        raise ValueError(f"an alignment of {alignment!r}")
    blocks = fields.get(f"{architecture}.block_count", 0)
    if not isinstance(blocks, int) or blocks > tensors:
        raise ValueError(f"{blocks!r} layers from {tensors} tensors")
    shapes, spans, types = _tensors(walk, tensors, alignment)
    return GgufHeader(fields, shapes, types, sum(end - start for start, end, _ in spans))


Span = tuple[int, int, str]


def _tensors(walk: _Walk, count: int, alignment: int) -> tuple[dict[str, tuple[int, ...]], list[Span], dict[str, int]]:
    """Shapes by name, where each begins and ends with its name, and how often each type is used."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    shapes: dict[str, tuple[int, ...]] = {}
    spans: list[Span] = []
    types: Counter[str] = Counter()
    for _ in range(count):
        name = walk.string()
        dimensions = walk.take(f"{walk.count(MAX_DIMENSIONS, 'dimensions', 'I')}Q")
        number, offset = walk.take("IQ")
        kind = GGMLQuantizationType(number)
        block, size = GGML_QUANT_SIZES[kind]
        if name in shapes:
            raise ValueError(f"the tensor {name[:200]} twice")
        if not dimensions or 0 in dimensions or dimensions[0] % block:
            raise ValueError(f"{name[:200]} in the shape {dimensions}, its type {kind.name} in blocks of {block}")
        if offset % alignment:
            raise ValueError(f"{name[:200]} at {offset:,}, which is no multiple of {alignment}")
        shapes[name] = tuple(reversed(dimensions))
        spans.append((offset, offset + math.prod(dimensions) // block * size, name))
        types[kind.name] += 1
    _require_apart(spans, len(walk.data) - -(-walk.at // alignment) * alignment)
    return shapes, spans, dict(types)


def _require_apart(spans: list[Span], room: int) -> None:
    end, before = 0, ""
    for start, stop, name in sorted(spans):
        if start < end:
            raise ValueError(f"{name[:200]} begins inside {before[:200]}")
        if stop > room:
            raise ValueError(f"{name[:200]} ends {stop - room:,} bytes behind the file's end")
        end, before = stop, name
