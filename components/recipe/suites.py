"""The evaluation suites that are shipped: a file each, with columns, prompt, verifier, sampling, licence and version.

A file says nothing of where its problems lie, for that is this machine's: `--set suites.NAME.source.uri=FILE` does.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from r1flow.components.recipe.data import SourceConfig
from r1flow.components.recipe.merging import merge
from r1flow.components.recipe.section import Count, Section

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


class SuiteConfig(Section):
    """One evaluation suite and its protocol."""

    known: str | None = Field(default=None, exclude=True)
    """A suite that is shipped (`r1 suites`): its file says whatever is not given here. Read, it is forgotten."""
    source: SourceConfig = SourceConfig()
    """Its problems."""
    problems: Count = 256
    """The first so many of its source; training problems are held against all of them."""
    prompt: str = "{prompt}"
    """How a problem is asked, before the model's template: `{prompt}` is its text, `{tests}` the tests of its program."""
    samples: Count = 16
    """k: pass@1 is the mean over k, cons@k the majority of k."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.6
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Count = 32768
    version: str = "1"
    """Raised whenever a change could move the suite's metrics."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_file(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("known"), str):
            data = merge(known_suite(data["known"]), {name: value for name, value in data.items() if name != "known"})
        source = data.get("source") if isinstance(data, dict) else None
        if isinstance(source, dict) and source.get("generator") and "size" not in source:
            data = data | {"source": source | {"size": data.get("problems", cls.model_fields["problems"].default)}}
        return data

    @model_validator(mode="after")
    def _asks(self) -> "SuiteConfig":
        if "{prompt}" not in self.prompt:
            raise ValueError("prompt must hold {prompt}, where the problem's text goes")
        if self.source.weight or self.source.rows:
            raise ValueError(
                "weight and rows have no meaning for the source of a suite; problems takes the first so many"
            )
        return self
