"""Where problems come from: files, hub datasets and generators, each with its columns, verifier and licence."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, JsonValue, StringConstraints, Tag, model_validator

from r1flow.components.core.schema import LANGUAGE, Verifier
from r1flow.components.recipe.section import Count, Positive, Section, Share

Format = Literal["jsonl", "json", "csv", "tsv", "parquet"]
TestsForm = Literal["own", "humaneval", "mbpp", "livecodebench"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ColumnMapping(Section):
    """Which columns of a source become which fields of a row. `a.b` is column `b` of what column `a` holds."""

    prompt: str | tuple[str, ...] = "prompt"
    """Several are joined by blank lines, empty ones left out."""
    messages: str | None = None
    """A conversation (a list of role and content) in place of `prompt`."""
    answer: str = "answer"
    answer_after: str | None = None
    """Take what stands after the last such marker (GSM8K: `####`)."""
    answer_boxed: bool = False
    """The answer is the last `\\boxed{}` of its column (MATH's solutions)."""
    wrong_choices: tuple[str, ...] = ()
    """They make the problem multiple choice: these and `answer` become (A), (B), ... behind the prompt, the answer a letter."""
    id: str | None = None
    level: str | None = None
    language: str | None = None
    completion: str | None = None
    """What teaches: a worked answer, for SFT."""
    verifier_args: str | None = None
    tests: str | None = None
    """Tests of programs, for the verifier `code`; default `tests`."""
    tests_as: TestsForm = "own"
    """`own`: in that column, as `r1 verify` takes them; else whatever columns HumanEval, MBPP or LiveCodeBench have them in."""


class SourceConfig(Section):
    """One source: a file (`uri`), a dataset of the hub (`hub`) or a `generator`, and what holds for all its rows."""

    uri: str | None = None
    """JSONL, JSON, CSV, TSV or Parquet; the first four also as .gz or .zst; local, s3:// or hf://."""
    format: Format | None = None
    """Where the file's name does not say it."""
    header: tuple[str, ...] = ()
    """Names of the columns of a CSV or TSV file that has no line of them; TSV is without quotes then."""
    hub: Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(/\w[\w.-]*)?$")] | None = None
    """Id of a dataset on the Hugging Face hub."""
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")] | None = None
    """Commit of the hub dataset, all 40 digits; branches and tags can move."""
    split: str = "train"
    generator: str | None = None
    """`reasoning-gym/TASK`, `tiny/sum` or `tiny/string` (whose rows have the skills `sum` and `string`)."""
    size: Count | None = None
    """Problems that the generator makes."""
    config: str | dict[str, JsonValue] | None = None
    """A configuration of the hub dataset by name, or the settings of a reasoning-gym task."""
    columns: ColumnMapping = ColumnMapping()
    verifier: Verifier | None = None
    """Default: `exact` for the tiny world, else `math`."""
    verifier_args: dict[str, JsonValue] | None = None
    """Facts that every row gives its verifier."""
    licence: str | None = None
    language: Annotated[str, StringConstraints(pattern=LANGUAGE)] | None = None
    """Of all its rows; a language tag such as `en` or `pt-BR`."""
    skill: str = "main"
    weight: Positive | None = None
    """Share in the mixture, relative to the other sources'."""
    rows: Count | None = None
    """At most so many rows, drawn by the recipe's seed."""
    version: str = "1"
    """Raised when the source is to be read anew although nothing here has changed."""

    @property
    def is_tiny(self) -> bool:
        return (self.generator or "").startswith("tiny/")

    @property
    def judged_by(self) -> Verifier:
        return self.verifier or ("exact" if self.is_tiny else "math")

    @model_validator(mode="after")
    def _one_origin(self) -> "SourceConfig":
        origins = [name for name in ("uri", "hub", "generator") if getattr(self, name) is not None]
        if len(origins) > 1:
            raise ValueError(f"{' and '.join(origins)} exclude each other; keep one")
        if self.hub and not self.revision:
            raise ValueError("hub needs revision, the commit to read (40 hex digits)")
        if self.generator and not self.size:
            raise ValueError("generator needs size, the number of problems")
        if isinstance(self.config, str) and self.generator:
            raise ValueError("config of a generator is a table of settings")
        if isinstance(self.config, dict) and not self.generator:
            raise ValueError(
                "config is the name of a hub dataset's configuration; a table has meaning for generators only"
            )
        return self


def _against_form(value: object) -> str:
    return "<path>" if isinstance(value, str) else "<table>"


Against = Annotated[
    Annotated[str, Tag("<path>")] | Annotated[dict[Name, SourceConfig], Tag("<table>")], Discriminator(_against_form)
]


class DataConfig(Section):
    """Where problems come from and what is kept of them."""

    sources: dict[Name, SourceConfig] = Field(default_factory=dict)
    """Training problems by source; of two rows that say the same, the one of the earlier source stays."""
    source: Literal["jsonl", "tiny"] = "jsonl"
    path: str | None = None
    """Training problems in one file, in place of `sources`: any form that `sources.NAME.uri` may have."""
    against: Against | None = None
    """Evaluation problems: a file for all suites, or a table of sources by suite. Training problems that match are dropped."""
    columns: ColumnMapping = ColumnMapping()
    """Columns of `path`, and of `against` where that is a file."""
    verifier: Verifier = "math"
    licence: str | None = None
    problems: dict[str, Count] = Field(default_factory=dict)
    """Generated problems by skill (source `tiny`)."""
    max_bad_fraction: Share = 0.01
    """More malformed rows than this in any one source fail the stage."""
    ngram: Count = 10
    """Words in a row that count as contamination; the paper takes 10."""
    similar: Share = 0.8
    """Rows of at least this Jaccard similarity are near-duplicates."""
    keep_evaluation_variants: bool = False
    """Keep rows that are an evaluation problem with other numbers; they are listed in either case."""

    @model_validator(mode="after")
    def _one_source(self) -> "DataConfig":
        if self.source == "tiny" and not self.problems:
            raise ValueError("source 'tiny' needs data.problems, such as {sum = 4000}")
        for other in ("path", "sources"):
            if self.source == "tiny" and getattr(self, other):
                raise ValueError(f"data.{other} has no meaning with source 'tiny'")
        if self.path and self.sources:
            raise ValueError("data.path and data.sources exclude each other; keep one")
        weighted = [name for name, source in self.sources.items() if source.weight is not None]
        if weighted and len(weighted) < len(self.sources):
            missing = ", ".join(sorted(set(self.sources) - set(weighted)))
            raise ValueError(f"weights are given for some sources only; give {missing} one too")
        if isinstance(self.against, dict):
            drawn = [name for name, source in self.against.items() if source.weight or source.rows]
            if drawn:
                raise ValueError(f"weight and rows have no meaning for evaluation problems: {', '.join(drawn)}")
        return self

    @property
    def verifiers(self) -> list[Verifier]:
        """What judges the training problems' answers."""
        if self.source == "tiny":
            return ["exact"]
        found = {source.judged_by for source in self.sources.values()} or {self.verifier}
        return sorted(found)

    @property
    def has_tiny_problems(self) -> bool:
        """Whether problems have a key: a sum of the tiny world is the same sum in any order of its terms."""
        return self.source == "tiny" or any(s.is_tiny for s in self.sources.values())

    @property
    def has_tiny_problems_alone(self) -> bool:
        return self.source == "tiny" or (bool(self.sources) and all(s.is_tiny for s in self.sources.values()))

    def one_file(self, uri: str | None) -> SourceConfig:
        """The source that ``path`` or ``against`` stands for."""
        return SourceConfig(uri=uri, columns=self.columns, verifier=self.verifier, licence=self.licence)
