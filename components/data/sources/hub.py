"""Datasets of the Hugging Face hub, streamed at a pinned commit. No code of a dataset is ever run: `datasets` has none."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from r1flow.components.core.errors import ConfigError, StoreUnavailable
from r1flow.components.data.sources.lines import TAIL
from r1flow.components.data.sources.records import Broken, Record, Records
from r1flow.components.recipe.data import SourceConfig


def read_hub(source: SourceConfig, setting: str) -> Records:
    """Records of one split. Raises ConfigError where the hub cannot be reached or has no such dataset."""
    assert source.hub is not None
    if Path(source.hub).exists():  # `datasets` would read it in the hub's place, and it has no commit
        raise ConfigError(
            f"{setting}.hub: {source.hub!r} is a path here, too; read its files with uri, or run elsewhere"
        )
    config = source.config if isinstance(source.config, str) else None
    return stream(source.hub, config, source.split, source.revision, setting)


def stream(path: str, config: str | None, split: str, revision: str | None, setting: str) -> Records:
    """Records of a dataset that `datasets` can open; where it can be parsed no further, one ``Broken`` for the rest.

    Raises StoreUnavailable where the network breaks off.
    """
    from datasets.exceptions import DatasetBuildError

    rows = _open(path, config, split, revision, setting)
    number = 0
    try:
        for number, row in enumerate(rows, 1):
            yield Record(number, row)
    except (ValueError, DatasetBuildError, EOFError, gzip.BadGzipFile, zlib.error) as error:  # it cannot be parsed
        yield Broken(number + 1, TAIL, f"{type(error).__name__}: {error}", tail=True)
    except Exception as error:  # what is left is the network, in exceptions of half a dozen libraries
        raise StoreUnavailable(f"{setting}.hub: reading {path!r} broke off after row {number}: {error}") from error


def _open(path: str, config: str | None, split: str, revision: str | None, setting: str) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset

    at = f"{path!r} at {revision}"
    try:
        rows = load_dataset(path, config, split=split, revision=revision, streaming=True)
    except ValueError as error:  # an unknown split or configuration; the message lists those there are
        raise ConfigError(f"{setting}: {at}: {error}") from error
    except Exception as error:  # network, missing dataset, gated dataset: each library below has its own exceptions
        why = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        fix = "check the id and the connection (HF_HUB_OFFLINE, HF_ENDPOINT, HF_TOKEN), or give its files with uri"
        raise ConfigError(f"{setting}.hub: cannot read {at} from the hub ({why}); {fix}") from error
    return iter(rows)
