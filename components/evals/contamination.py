"""Which problems of a suite a model may have seen in training: a flag per problem that curation can fill.

The dataset artifact may hold ``eval/<suite>.contaminated.json``, an object from problem id to what was found. Without that
file nobody has looked, which is not the same as clean.
"""

import json
from pathlib import Path

from r1flow.components.core.errors import DataError


def load_flags(dataset: Path, suite: str) -> dict[str, str] | None:
    """Problem id to what was found, for contaminated problems; None where nobody has looked. DataError for another form."""
    path = dataset / "eval" / f"{suite}.contaminated.json"
    if not path.is_file():
        return None
    try:
        flags = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); write an object from problem id to what was found") from error
    if not isinstance(flags, dict) or not all(isinstance(found, str) for found in flags.values()):
        raise DataError(f"{path}: not an object from problem id to a text that says what was found")
    return flags
