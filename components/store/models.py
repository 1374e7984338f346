"""Where a start model's files come from: r1flow itself, this machine, the hub, an object store."""

import fnmatch
import hashlib
import json
import os
import shutil
import uuid
from pathlib import Path

from r1flow.components.core.errors import ModelError, StoreError
from r1flow.components.core.families import CONFIG
from r1flow.components.core.gguf import SUFFIX
from r1flow.components.core.models import BUILTIN, check_model_directory
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store

HUB_PATTERNS = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
"""The files of a model that are fetched, be it from the hub or from an object store."""
S3 = "s3://"
CONFIG_S = 10.0
"""A plan waits no longer for a store; a run does, when it fetches the weights."""
MOST_CONFIG = 4 << 20
"""Bytes; a config.json larger than that is none."""


def locate_model(
    source: str, revision: str | None = None, *, cache: Path | None = None, setting: str = "source"
) -> Path:
    """Where ``source`` lies on this machine: a model directory, or a ``.gguf`` file.

    ``source`` is ``builtin:NAME``, a directory, a ``.gguf`` file, an ``s3://`` directory or a hub id; the last two are
    fetched (into ``cache``; without it into R1_HOME's and the hub's own), safetensors only. Raises :class:`ModelError` naming
    the ``setting`` or the file, and the fix, and :class:`StoreError` where an object store fails.
    """
    found = find_model(source, revision, cache=cache, setting=setting)
    return found if found.is_file() else check_model_directory(found)


def find_model(source: str, revision: str | None = None, *, cache: Path | None = None, setting: str = "source") -> Path:
    """:func:`locate_model` of what there is, whether or not it is a model."""
    if source.startswith("builtin:"):
        name = source.removeprefix("builtin:")
        if name not in BUILTIN:
            raise ModelError(f"{setting}: no built-in model {name!r}; there are {', '.join(sorted(BUILTIN))}")
        return BUILTIN[name]
    if source.startswith(S3):
        return _fetch(source, cache or Settings().cache, setting)
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.suffix == SUFFIX:
        if not path.is_file():
            raise ModelError(f"{setting}: there is no file {source} (seen from {Path.cwd()})")
        return path
    if not is_hub_id(source):
        raise ModelError(
            f"{setting}: {source} is not a directory here; give a model directory, a {SUFFIX} file, an {S3} directory or a "
            "hub id such as Qwen/Qwen2.5-0.5B"
        )
    return _download(source, revision, cache, setting)


def read_config(path: Path) -> bytes:
    """The bytes of a config.json; ModelError for one that no model has."""
    _bounded(path.stat().st_size, path.parent)
    return path.read_bytes()


def fetch_config(source: str, revision: str | None = None) -> bytes:
    """The config.json of a hub's or an object store's model, and nothing else of it. ModelError for why it cannot be had."""
    failed = f"the {CONFIG} of {source} {{}}could not be fetched: {{}}"
    if source.startswith(S3):
        try:
            store = open_store(source, deadline_s=CONFIG_S)
            _bounded(store.size(CONFIG), source)
            return store.read_bytes(CONFIG)
        except StoreError as error:
            raise ModelError(failed.format("", error)) from error
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return read_config(Path(hf_hub_download(source, CONFIG, revision=revision)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).partition("\n")[0][:300]
        raise ModelError(failed.format(f"(revision {revision or 'main'}) ", reason)) from error


def _bounded(size: int, place: str | Path) -> None:
    if size > MOST_CONFIG:
        raise ModelError(f"{place}: {CONFIG} has more than {MOST_CONFIG >> 20} MiB; this is no model's")


def is_remote(source: str) -> bool:
    """Whether a source's files would be fetched from elsewhere."""
    return source.startswith(S3) or is_hub_id(source)


def is_hub_id(source: str) -> bool:
    """Whether a source is none of this machine's directories or files and no store's, so that the hub would be asked."""
    if source.startswith(("builtin:", ".", "~")) or source.endswith(SUFFIX) or source.count("/") != 1:
        return False
    path = Path(source)
    return not (path.is_absolute() or path.is_dir())


def _download(source: str, revision: str | None, cache: Path | None, setting: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, revision=revision, cache_dir=cache, allow_patterns=HUB_PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{setting}: hub model {source} (revision {revision or 'main'}) could not be fetched: {error}. Check the id "
            "and the network, set HF_TOKEN for a gated model, or give a local model directory"
        ) from error


def _fetch(source: str, cache: Path, setting: str) -> Path:
    """The directory's own files, those of its folders left out; fetched once for each state of the store's listing."""
    store = open_store(source)
    sizes = {name: size for name, size in store.sizes().items() if _of_a_model(name)}
    if not sizes:
        raise ModelError(
            f"{setting}: {source} holds none of {', '.join(HUB_PATTERNS)}; give the directory of config.json"
        )
    listing = [store.uri, *((name, size, store.written_at(name)) for name, size in sorted(sizes.items()))]
    place = cache / "models" / hashlib.sha256(json.dumps(listing).encode()).hexdigest()
    if place.is_dir():
        return place
    draft = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    try:
        for name, size in sizes.items():
            store.get_file(name, draft / name)
            if (draft / name).stat().st_size != size:
                raise ModelError(f"{setting}: {source}/{name} changed while it was fetched; try again")
        try:
            os.rename(draft, place)
        except OSError:  # another process was faster
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _of_a_model(name: str) -> bool:
    return "/" not in name and any(fnmatch.fnmatch(name, pattern) for pattern in HUB_PATTERNS)
