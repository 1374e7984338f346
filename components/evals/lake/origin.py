"""Which source a row was read from, as the settings of its artifact say: a file by its bytes, a hub commit, a generator."""

from collections.abc import Iterator, Mapping
from typing import Any

from r1flow.components.evals.lake.made import Made


def source_of(made: Made, source: str, suite: str | None) -> str:
    """Words for the source that a row names. ``made`` is the artifact that holds it, ``suite`` the row's, if any.

    A file is what its sha256 says; where it lay is told beside, as far as that was written down.
    """
    config = made.config
    for setting, given in _settings(config, source, suite):
        for key in (setting, f"{setting}.uri"):
            if digest := config.get("digests", {}).get(key):
                name = made.addresses.get(key) or config.get("names", {}).get(key)
                return f"{setting}: the file{f' {name}' if name else ''} with sha256 {digest}"
        if given.get("hub"):
            return f"{setting}: {given['hub']} at commit {given['revision']}, split {given['split']}"
        if given.get("generator"):
            version = config.get("generators", {}).get(setting, "builtin")
            return f"{setting}: made by {given['generator']} ({version}), {given['size']} problems"
    return (
        f"{source}: made by r1flow, seed {made.seed}"
        if suite is None
        else f"{source}: made by r1flow for the suite {suite}"
    )


def _settings(config: Mapping[str, Any], source: str, suite: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The settings that can have named the source, in the order in which it was looked for in them."""
    if suite is not None and (own := (config.get("suites", {}).get(suite) or {}).get("source")):
        yield f"suites.{suite}.source", own
    if suite is None and (own := config.get("dataset", {}).get("sources", {}).get(source)):
        yield f"dataset.sources.{source}", own
    yield from _former_settings(config.get("data", {}), source, suite)


def _former_settings(
    data: Mapping[str, Any], source: str, suite: str | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Those of a dataset from before 0.2, which held suites too."""
    if suite is None:
        if own := data.get("sources", {}).get(source):
            yield f"data.sources.{source}", own
        yield "data.path", {}
        return
    against = data.get("against")
    if isinstance(against, Mapping) and (table := against.get(suite)):
        yield f"data.against.{suite}", table
    yield "data.against", {}
