"""Which source a dataset's row was read from, as the dataset's settings say: a file by its bytes, a hub commit, a generator."""

from collections.abc import Mapping
from typing import Any

from r1flow.components.evals.lake.made import Made


def source_of(made: Made, source: str, suite: str | None) -> str:
    """Words for the source that a row names. ``made`` is the curation's artifact, ``suite`` the row's, if any.

    A file is what its sha256 says; where it lay is told beside, as far as that was written down.
    """
    config = made.config
    for setting, given in _settings(config, source, suite):
        for key in (setting, f"{setting}.uri"):
            if digest := config["digests"].get(key):
                name = made.addresses.get(key) or config["names"].get(key)
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


def _settings(config: Mapping[str, Any], source: str, suite: str | None) -> list[tuple[str, Mapping[str, Any]]]:
    """The settings that can have named the source, in the order in which curation looks at them."""
    data = config["data"]
    against = data.get("against")
    if suite is None:
        found = [(f"data.sources.{source}", data["sources"][source])] if source in data.get("sources", {}) else []
        return [*found, ("data.path", {})]
    own = (config["suites"].get(suite) or {}).get("source")
    table = against.get(suite) if isinstance(against, Mapping) else None
    found = [(f"suites.{suite}.source", own)] if own else []
    found += [(f"data.against.{suite}", table)] if table else []
    return [*found, ("data.against", {})]
