"""Which sources a recipe reads, and where in the recipe each stands."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.data import DatasetConfig, SourceConfig
from r1flow.components.recipe.suites import SuiteConfig

FREE = ("columns", "config", "verifier_args")
"""Tables of a source in which a key says nothing about addresses."""
NAMED = (("sources",), ("suites",))
"""Tables whose keys are names that a person has chosen."""


@dataclass(frozen=True)
class Origin:
    """A source, the name that its rows bear, and its place in the settings of its program."""

    name: str
    setting: str
    source: SourceConfig


def dataset_origins(dataset: DatasetConfig) -> list[Origin]:
    """The sources of a dataset, in order of priority."""
    return [Origin(name, f"dataset.sources.{name}", source) for name, source in dataset.sources.items()]


def suite_origins(suites: Mapping[str, SuiteConfig]) -> list[Origin]:
    """The source of every suite."""
    return [Origin(name, f"suites.{name}.source", suite.source) for name, suite in suites.items()]


def need_addresses(origins: Iterable[Origin], owner: str) -> None:
    """ConfigError naming every source that says nowhere where it is, with the ``--set`` for each.

    ``owner``: the dataset that the settings are of; the settings of suites are whole.
    """
    nowhere = [origin for origin in origins if not (origin.source.uri or origin.source.hub or origin.source.generator)]
    if nowhere:
        keys = [shown(origin.setting, owner) + ".uri" for origin in nowhere]
        sets = " ".join(f"--set {key}=FILE" for key in keys)
        raise ConfigError(f"{', '.join(keys)}: a path or URI is needed; give it with {sets}")


def shown(setting: str, owner: str) -> str:
    """A setting of a program as ``--set`` takes it.

    >>> shown("dataset.sources.mine.uri", "problems"), shown("suites.math500.source", "suites")
    ('problems.sources.mine.uri', 'suites.math500.source')
    """
    return f"{owner}.{setting.removeprefix('dataset.')}" if setting.startswith("dataset.") else setting


def addresses(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The setting and value of every address in dumped settings: places, which may change while the bytes stay.

    >>> list(addresses({"dataset": {"sources": {"x": {"uri": "s3://b", "size": 1}}}}))
    [('dataset.sources.x.uri', 's3://b')]
    """
    for key, value in tree.items():
        if isinstance(value, str) and key == "uri":
            yield ".".join((*above, key)), value
        elif isinstance(value, Mapping) and (key not in FREE or above[-1:] in NAMED):
            yield from addresses(value, (*above, key))


def with_addresses(tree: Mapping[str, Any], found: Mapping[str, str | None]) -> dict[str, Any]:
    """A copy of dumped settings with other values for ``found``; None takes an address out."""
    copy: dict[str, Any] = {key: with_addresses(v, {}) if isinstance(v, Mapping) else v for key, v in tree.items()}
    for setting, value in found.items():
        *sections, key = setting.split(".")
        place = copy
        for section in sections:
            place = place[section]
        place[key] = value
    return copy
