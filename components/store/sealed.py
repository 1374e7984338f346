"""JSON documents that prove their own bytes: the digest of the rest comes first.

``{"sha256":"<digest>",...}``: the digest is that of the document's canonical JSON without that first member, and it is
checked on the raw bytes before anything is parsed, so every flipped byte is found.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from r1flow.components.core.errors import IntegrityError
from r1flow.components.store.fingerprint import canonical_json

_OPEN, _SHUT = b'{"sha256":"', b'",'
_START = len(_OPEN) + 64 + len(_SHUT)


def seal(body: Mapping[str, Any], name: str) -> tuple[bytes, str]:
    """The document and its digest. ``body`` has at least one member; ``name`` is what error messages call it."""
    text = canonical_json(dict(body), name).encode()
    digest = hashlib.sha256(text).hexdigest()
    return _OPEN + digest.encode() + _SHUT + text[1:], digest


def unseal(raw: bytes, where: str, expected: str | None = None) -> tuple[dict[str, Any], str]:
    """Body and digest of a sealed document. IntegrityError names ``where`` and the digests expected and found.

    ``expected`` is the digest that a reference promises; without it the document is held against its own.
    """
    body = b"{" + raw[_START:]
    claimed, found = raw[len(_OPEN) : len(_OPEN) + 64], hashlib.sha256(body).hexdigest()
    if not raw.startswith(_OPEN) or raw[_START - len(_SHUT) : _START] != _SHUT:
        raise _broken(where, expected or "at its head", f"none; its bytes have {hashlib.sha256(raw).hexdigest()}")
    if expected is not None and found != expected:
        raise _broken(where, expected, found)
    if claimed != found.encode():
        raise _broken(where, claimed.decode("ascii", "backslashreplace"), found)
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{where} is sealed but is no JSON document: {error}; delete it and run again") from error
    return parsed, found


def _broken(where: str, expected: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"{where} is damaged: sha256 expected {expected}, found {found}; restore it from a copy, or delete it "
        "and run again"
    )
