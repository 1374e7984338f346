"""Where problems come from: files, hub datasets and generators, each with its columns, verifier and licence."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from r1flow.components.core.schema import LANGUAGE, Verifier
from r1flow.components.recipe.references import Name
from r1flow.components.recipe.section import Count, Positive, Section, Share

Format = Literal["jsonl", "json", "csv", "tsv", "parquet"]
TestsForm = Literal["own", "humaneval", "mbpp", "livecodebench"]


class ColumnMapping(Section):
    """Which columns of a source become which fields of a row. `a.b` is column `b` of what column `a` holds."""

    prompt: str | tuple[str, ...] = "prompt"
    """Several are joined by blank lines, empty ones left out."""
    messages: str | None = None
    """A conversation (a list of role and content) in place of `prompt`. Of a demonstration the assistant's last turn, and what
    comes before it is the prompt."""
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
    """`reasoning-gym/TASK`, or one of r1flow's own: `tiny/sum`, `tiny/string`, `english/addition` (whose rows have the skills
    `sum`, `string` and `addition`)."""
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
    def is_builtin(self) -> bool:
        """Whether r1flow makes its rows itself. They have skills of their own, and keys that tell one problem from another."""
        return (self.generator or "").startswith(("tiny/", "english/"))

    @property
    def skill_of_rows(self) -> str:
        """The skill that its rows have."""
        return (self.generator or "").partition("/")[2] if self.is_builtin else self.skill

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


class DatasetConfig(Section):
    """One dataset: its sources, and what is kept of them. Evaluation problems are the suites'; none of them is kept."""

    kind: Literal["problems", "demonstrations"] = "problems"
    """`problems` have an answer that a rule can check; `demonstrations` have a completion, or an
    assistant's last turn, to learn from."""
    title: str = ""
    """How tables call it."""
    sources: dict[Name, SourceConfig] = Field(default_factory=dict)
    """Rows by source; of two rows that say the same, the one of the earlier source stays."""
    max_bad_fraction: Share = 0.01
    """More malformed rows than this in any one source fail the stage."""
    ngram: Count = 10
    """Words in a row that count as contamination; the paper takes 10."""
    similar: Share = 0.8
    """Rows of at least this Jaccard similarity are near-duplicates."""
    keep_evaluation_variants: bool = False
    """Keep rows that are an evaluation problem with other numbers; they are listed in either case."""

    @model_validator(mode="after")
    def _sources_go_together(self) -> "DatasetConfig":
        if not self.sources:
            raise ValueError("a dataset needs sources, such as sources.mine = { uri = 'train.jsonl' }")
        weighted = [name for name, source in self.sources.items() if source.weight is not None]
        if weighted and len(weighted) < len(self.sources):
            missing = ", ".join(sorted(set(self.sources) - set(weighted)))
            raise ValueError(f"weights are given for some sources only; give {missing} one too")
        return self

    @property
    def verifiers(self) -> list[Verifier]:
        """What checks the answers of its problems."""
        return sorted({source.judged_by for source in self.sources.values()})

    @property
    def has_keyed_problems(self) -> bool:
        """Whether problems have a key: a sum is the same sum in any order of its terms."""
        return any(source.is_builtin for source in self.sources.values())

    @property
    def has_keyed_problems_alone(self) -> bool:
        return all(source.is_builtin for source in self.sources.values())
