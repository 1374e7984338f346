"""Counted models, kept by the digest of their config.json: whoever has counted one needs torch no more."""

import hashlib
import json
import os
import uuid
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from r1flow.components.costs.decoder import Decoder

FORMAT = 2
"""Raised where a decoder's numbers are counted otherwise."""


def config_digest(config: bytes) -> str:
    """sha256 of what a count depends on: the config, transformers, and how it is counted."""
    said = config + b"\0" + f"{version('transformers')}, {FORMAT}".encode()
    return hashlib.sha256(said).hexdigest()


def file_digest(path: Path) -> str:
    """The same of a ``.gguf`` file, by its place, size and times: it is not read where it was counted before."""
    known = path.stat()
    stamps = [str(path.resolve()), known.st_size, known.st_ino, known.st_mtime_ns, known.st_ctime_ns]
    return config_digest(json.dumps(stamps).encode())


def kept_count(cache: Path, digest: str) -> Decoder | None:
    """What was kept, or None where there is nothing that can be read."""
    with suppress(OSError, ValueError, TypeError):
        return decoder_from(json.loads(_path(cache, digest).read_text(encoding="utf-8")))
    return None


def keep_count(cache: Path, digest: str, decoder: Decoder) -> None:
    """In one step, so that nobody reads half of it."""
    path = _path(cache, digest)
    draft = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    with suppress(OSError):  # a full or read-only disk costs the next plan time, and this one nothing
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(decoder)), encoding="utf-8")
        os.replace(draft, path)


def decoder_from(told: dict[str, object]) -> Decoder:
    """A decoder as JSON has it."""
    return Decoder(**{**told, "notes": tuple(told.get("notes", ()))})  # type: ignore[arg-type]


def _path(cache: Path, digest: str) -> Path:
    return cache / "counts" / f"{digest}.json"
