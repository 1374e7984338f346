"""The state of work under way: step directories that count only once their COMPLETE.json lies there.

Layout: ``<prefix>/step-000400/<content[:16]>/...`` and, last, ``<prefix>/step-000400/COMPLETE.json``, which holds the
sha256 of every file. One process writes under a prefix at a time (its lease sees to that).
"""

import os
import re
import shutil
import uuid
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from r1flow.components.core.errors import IntegrityError, StoreError
from r1flow.components.store.failures import explaining
from r1flow.components.store.files import FileEntry, content_sha256, download, scan, upload
from r1flow.components.store.keys import safe_key
from r1flow.components.store.objects import ObjectStore
from r1flow.components.store.sealed import seal, unseal

COMPLETE = "COMPLETE.json"


class _Complete(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    files: list[FileEntry] = Field(min_length=1)


class Checkpoints:
    """The checkpoints below ``prefix``, of which the ``keep`` newest complete ones stay."""

    def __init__(self, store: ObjectStore, prefix: str, keep: int = 2) -> None:
        if keep < 1:
            raise StoreError(f"keep is {keep}; at least one checkpoint must stay")
        self.store = store
        self.prefix = safe_key(prefix)
        self.keep = keep

    def save(self, step: int, directory: Path) -> None:
        """Store the files of ``directory`` as the checkpoint of ``step``, then prune; a complete step is left as it is.

        Raises StoreError for what no store can keep (see files.scan). The earlier checkpoints are untouched until this
        one is complete.
        """
        if self.store.exists(self._marker(step)):
            return
        snapshot = scan(directory)
        upload(self.store, snapshot, self._data(step, snapshot.files))
        raw, _ = seal(_Complete(step=step, files=snapshot.files).model_dump(), f"checkpoint {step}")
        self.store.create(self._marker(step), raw)  # False: a second writer finished the step first, and it counts
        self._prune(step)

    def latest(self) -> int | None:
        """The highest complete step, or None."""
        return max(self._complete(self.store.list(self.prefix)), default=None)

    def load(self, step: int, into: Path) -> None:
        """The verified files of ``step`` as the directory ``into``, which must be absent or empty.

        IntegrityError names the file and both digests; ObjectMissingError when the step is not complete.
        """
        where = f"{self.store.uri}/{self._marker(step)}"
        body, _ = unseal(self.store.read_bytes(self._marker(step)), where)
        try:
            complete = _Complete.model_validate(body)
        except (ValidationError, StoreError) as error:  # a StoreError: an unsafe path
            raise IntegrityError(f"{where} is sealed but describes no checkpoint of this version: {error}") from error
        temporary = into.with_name(f".{into.name}-{uuid.uuid4().hex}")
        try:
            download(self.store, self._data(step, complete.files), complete.files, temporary)
            with explaining("fill", str(into)):
                os.replace(temporary, into)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)  # gone already when the rename went well

    def clear(self) -> None:
        """Delete every checkpoint below the prefix."""
        self._delete(self.store.list(self.prefix))

    def _prune(self, saved: int) -> None:
        """Delete complete steps beyond the newest ``keep``, and whatever other attempts left behind."""
        keys = self.store.list(self.prefix)
        keep = {*sorted(self._complete(keys))[-self.keep :], saved}
        self._delete([key for key in keys if self._step(key) not in keep])

    def _delete(self, keys: list[str]) -> None:
        for key in sorted(keys, key=lambda key: not key.endswith(f"/{COMPLETE}")):  # markers first: never half a step
            self.store.delete(key)

    def _complete(self, keys: list[str]) -> set[int]:
        steps = {self._step(key) for key in keys if key.endswith(f"/{COMPLETE}")}
        return {step for step in steps if step is not None and self._marker(step) in keys}

    def _step(self, key: str) -> int | None:
        match = re.match(r"step-(\d{6,})/", key.removeprefix(f"{self.prefix}/"))
        return int(match[1]) if match else None

    def _marker(self, step: int) -> str:
        return f"{self._folder(step)}/{COMPLETE}"

    def _data(self, step: int, files: list[FileEntry]) -> str:
        return f"{self._folder(step)}/{content_sha256(files)[:16]}"

    def _folder(self, step: int) -> str:
        return f"{self.prefix}/step-{step:06d}"
