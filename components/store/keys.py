"""Which names an object may have."""

import unicodedata

from r1flow.components.core.errors import StoreError

RESERVED = ".r1-"
"""Names that begin so belong to the local store itself: its temporary files and its lock."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, invisible format, lone surrogate, line separators


def safe_key(key: str) -> str:
    r"""``key`` itself if it is a relative posix path that stays below the store's root; else StoreError.

    Refused: nothing, absolute paths, ``.`` and ``..`` and empty segments, backslashes, control and invisible
    characters, letters that some file systems fold into dots and slashes, segments over 255 bytes (file systems), keys over
    900 bytes (S3 allows 1024 with the store's prefix), and names reserved for the store itself.

    >>> safe_key("artifacts/model/3f/data/model.safetensors")
    'artifacts/model/3f/data/model.safetensors'
    >>> safe_key("data/../../etc/passwd")
    Traceback (most recent call last):
    r1flow.components.core.errors.StoreError: key 'data/../../etc/passwd' is refused: it has a segment '..'
    """
    reason = _fault(key)
    if reason:
        raise StoreError(f"key {key[:200]!r} is refused: {reason}")
    return key


def _fault(key: str) -> str | None:
    if not key:
        return "it is empty"
    if key.startswith("/"):
        return "it is absolute"
    if "\\" in key:
        return "it has a backslash"
    if any(unicodedata.category(character) in _UNSEEN for character in key):
        return "it has a control or invisible character"
    if len(key.encode()) > 900:
        return "it is longer than 900 bytes"
    for segment in key.split("/"):
        if segment in {"", ".", ".."}:
            return f"it has a segment {segment!r}"
        if segment.startswith(RESERVED):
            return f"names that begin with {RESERVED!r} belong to the store"
        if len(segment.encode()) > 255:
            return "it has a segment longer than 255 bytes"
    folded = unicodedata.normalize("NFKC", key)
    if folded.count("/") != key.count("/") or "\\" in folded or not {".", ".."}.isdisjoint(folded.split("/")):
        return "it has characters that stand for dots or slashes"
    return None
