"""Which sources a recipe reads: its training problems in order of priority, and the problems of every suite."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.data import DataConfig, SourceConfig
from r1flow.components.recipe.stages import SuiteConfig

SHORTHANDS = ("data.path", "data.against")
FREE = ("columns", "config", "verifier_args")
"""Tables of a source in which a key says nothing about addresses."""
NAMED = (("sources",), ("against",), ("suites",))
"""Tables whose keys are names that a person has chosen."""


@dataclass(frozen=True)
class Origin:
    """A source, the name that its rows bear, and its place in the recipe, for errors."""

    name: str
    setting: str
    source: SourceConfig


def training_origins(data: DataConfig) -> list[Origin]:
    """The sources of training problems; none with source ``tiny``, whose problems are made by skill."""
    if data.source == "tiny":
        return []
    if not data.sources:
        return [Origin(PurePosixPath(data.path or "").name, "data.path", data.one_file(data.path))]
    return [Origin(name, f"data.sources.{name}", source) for name, source in data.sources.items()]


def evaluation_origins(data: DataConfig, suites: Mapping[str, SuiteConfig]) -> dict[str, Origin]:
    """The source of every suite, and of whatever else training problems are held against.

    A suite's own ``source`` comes first, then its entry in the table ``data.against``, then the file ``data.against``.
    Raises ConfigError for a suite without any, unless the tiny world makes its problems.
    """
    found: dict[str, Origin] = {}
    if isinstance(data.against, dict):
        found = {name: Origin(name, f"data.against.{name}", source) for name, source in data.against.items()}
    elif data.against:
        file = Origin(PurePosixPath(data.against).name, "data.against", data.one_file(data.against))
        found = {name: file for name, suite in suites.items() if suite.source is None} or {"against": file}
    for name, suite in suites.items():
        if suite.source is not None:
            found[name] = Origin(name, f"suites.{name}.source", suite.source)
        elif name not in found and data.source != "tiny":
            mend = f"give data.against (a file), data.against.{name} or suites.{name}.source"
            raise ConfigError(f"suites.{name}: it has no problems; {mend}")
    return found


def need_addresses(origins: Sequence[Origin]) -> None:
    """ConfigError naming every source that says nowhere where it is, with the ``--set`` for each."""
    keys = [origin.setting + ("" if origin.setting in SHORTHANDS else ".uri") for origin in origins if _nowhere(origin)]
    if keys:
        sets = " ".join(f"--set {key}=FILE" for key in dict.fromkeys(keys))
        raise ConfigError(f"{', '.join(dict.fromkeys(keys))}: a path or URI is needed; give it with {sets}")


def _nowhere(origin: Origin) -> bool:
    source = origin.source
    return not (source.uri or source.hub or source.generator)


def addresses(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """The setting and value of every address in dumped settings: places, which may change while the bytes stay.

    >>> list(addresses({"data": {"path": "a", "sources": {"x": {"uri": "s3://b", "size": 1}}}}))
    [('data.path', 'a'), ('data.sources.x.uri', 's3://b')]
    """
    for key, value in tree.items():
        setting = ".".join((*above, key))
        if isinstance(value, str) and (key == "uri" or setting in SHORTHANDS):
            yield setting, value
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
