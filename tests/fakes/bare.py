"""An environment that has torch and transformers alone, as a bare GPU image does: made of links into this one."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.docs import ROOT

WITHOUT = {"fsspec", "pydantic", "rich", "typer"}
"""What torch and transformers name but do not need to be imported, and r1flow imports elsewhere."""


def bare_environment(directory: Path, *more: str) -> dict[str, str]:
    """Environment variables for ``python -S``, in which nothing can be imported but this repository, the standard
    library, and torch, transformers and ``more`` with what they require."""
    site = directory / "site"
    site.mkdir()
    for name in _required("torch", "transformers", *more):
        files = distribution(name).files or ()
        for entry in sorted({file.parts[0] for file in files} - {"..", "__pycache__"}):
            (site / entry).symlink_to(distribution(name).locate_file(entry))
    return {"PYTHONPATH": f"{ROOT}:{site}", "HOME": str(directory), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"}


def _required(*names: str) -> set[str]:
    """The installed distributions among ``names`` and all that they require, extras left out."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found | WITHOUT:
            continue
        try:
            requires = distribution(name).requires or ()
        except PackageNotFoundError:  # required on another platform
            continue
        found.add(name)
        waiting += [match[0] for r in requires if "extra ==" not in r and (match := re.match(r"[\w.-]+", r))]
    return found
