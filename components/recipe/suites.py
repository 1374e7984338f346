"""The evaluation suites that are shipped: a file each, with columns, prompt, verifier, sampling, licence and version.

A file says nothing of where its problems lie, for that is this machine's: `--set suites.NAME.source.uri=FILE` does.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any

SUITES = Path(__file__).parent / "suites"


def suite_names() -> list[str]:
    """The suites there are."""
    return sorted(path.stem for path in SUITES.glob("*.toml"))


def known_suite(name: str) -> dict[str, Any]:
    """The settings in a suite's file. ValueError for a name that no file has, with the nearest one."""
    if name not in suite_names():
        close = difflib.get_close_matches(name, suite_names(), n=1)
        raise ValueError(
            f"no suite {name!r}; " + (f"did you mean {close[0]}?" if close else f"there are {', '.join(suite_names())}")
        )
    return tomllib.loads((SUITES / f"{name}.toml").read_text(encoding="utf-8"))
