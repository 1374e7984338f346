"""Any source as a stream of rows and quarantined lines, in the source's own order. Memory does not grow with it."""

import hashlib
from collections.abc import Iterator

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.schema import QuarantinedRow, Row
from r1flow.components.data.sources.addition import addition_rows
from r1flow.components.data.sources.arrays import read_json
from r1flow.components.data.sources.files import PACKED, decompressed, format_of, open_source
from r1flow.components.data.sources.generators import ENGLISH, GYM, TINY, read_gym
from r1flow.components.data.sources.hub import read_hub
from r1flow.components.data.sources.lines import read_jsonl
from r1flow.components.data.sources.parquet import read_parquet
from r1flow.components.data.sources.programs import FORMS as TEST_FORMS
from r1flow.components.data.sources.records import BadRow, Broken, Records
from r1flow.components.data.sources.rows import make_row
from r1flow.components.data.sources.tables import read_csv
from r1flow.components.data.sources.tiny import tiny_rows
from r1flow.components.recipe.data import ColumnMapping, SourceConfig

FORMATS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}  # fmt: skip
GYM_COLUMNS = ColumnMapping(verifier_args="verifier_args")


def read_source(source: SourceConfig, name: str, *, seed: int, setting: str) -> Iterator[Row | QuarantinedRow]:
    """Every row of ``source``, which rows call ``name``, or why a line is none; ``setting`` is its place in the recipe.

    A file that is cut off or damaged gives what stands before, then one quarantined line for the rest. Raises ConfigError
    for settings that name nothing readable, DataError for a file that is missing or not of its format, StoreUnavailable.
    """
    if source.generator and source.generator.startswith(TINY):
        return iter(tiny_source(source, name, seed))
    if source.generator and source.generator.startswith(ENGLISH):
        return iter(english_source(source, name, seed))
    if source.generator and source.generator.startswith(GYM):
        shaped = source.model_copy(update={"columns": GYM_COLUMNS})
        return read_rows(read_gym(source, seed, setting), shaped, name)
    if source.generator:
        raise ConfigError(
            f"{setting}.generator: {source.generator!r} is none; give {GYM}TASK, tiny/sum, tiny/string or {ENGLISH}addition"
        )
    if source.hub:
        return read_rows(read_hub(source, setting), source, name)
    return _read_file(source, name, setting)


def read_rows(records: Records, source: SourceConfig, name: str) -> Iterator[Row | QuarantinedRow]:
    """Records as rows by the columns of ``source``. No content makes it raise, and none is lost."""
    seen = _Seen() if source.columns.id is not None else None
    for record in records:
        if isinstance(record, Broken):
            yield QuarantinedRow(name, record.number, record.reason, record.excerpt())
            continue
        try:
            row = make_row(record.columns, source, name, record.number)
            if seen is not None and seen.before(row.id):
                raise BadRow("duplicate id")
        except BadRow as reason:
            yield QuarantinedRow(name, record.number, str(reason), record.excerpt())
            continue
        yield row


def tiny_source(source: SourceConfig, name: str, seed: int) -> list[Row]:
    """Problems of the tiny world as rows of a named source."""
    skill = (source.generator or "").removeprefix(TINY)
    if skill not in ("sum", "string"):
        raise ConfigError(f"generator {source.generator!r}: the tiny world has tiny/sum and tiny/string")
    common = {"source": name, "licence": source.licence, "language": source.language}
    rows = tiny_rows(skill, source.size or 0, seed, exclude_keys=())
    return [row.model_copy(update=common) for row in rows]


def english_source(source: SourceConfig, name: str, seed: int) -> list[Row]:
    """Sums that are asked in English as rows of a named source."""
    if source.generator != f"{ENGLISH}addition":
        raise ConfigError(f"generator {source.generator!r}: in English there is {ENGLISH}addition")
    common = {"source": name, "licence": source.licence, "verifier": source.judged_by}
    return [row.model_copy(update=common) for row in addition_rows(source.size or 0, seed)]


def _read_file(source: SourceConfig, name: str, setting: str) -> Iterator[Row | QuarantinedRow]:
    uri = source.uri or ""
    suffix, packed = format_of(uri)
    form = source.format or FORMATS.get(suffix, "jsonl")
    if form == "parquet" and packed:
        raise ConfigError(f"{setting}: Parquet is compressed inside; give it without {' or '.join(PACKED)}")
    with open_source(uri, setting) as raw:
        file = decompressed(raw, packed)
        if form == "jsonl":
            records = read_jsonl(file)
        elif form == "json":
            records = read_json(file)
        elif form == "parquet":
            records = read_parquet(file, _top_columns(source.columns), setting)
        else:
            records = read_csv(file, "\t" if form == "tsv" else ",", setting, source.header)
        yield from read_rows(records, source, name)


def _top_columns(mapping: ColumnMapping) -> set[str]:
    """The columns that the mapping may look into: ``a.b`` may be a column of that name, or inside ``a``."""
    prompt = [mapping.prompt] if isinstance(mapping.prompt, str) else mapping.prompt
    named = [*prompt, mapping.answer, mapping.tests or "tests", *mapping.wrong_choices]
    named += TEST_FORMS[mapping.tests_as][1] if mapping.tests_as != "own" else ()
    fields = (mapping.messages, mapping.id, mapping.level, mapping.language, mapping.completion, mapping.verifier_args)
    named += [name for name in fields if name]
    return {*named, *(name.partition(".")[0] for name in named)}


class _Seen:
    """Which ids there were, as 8 bytes each: at a million ids two different ones meet with probability 3e-8."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def before(self, row_id: str) -> bool:
        """Whether the id was there; from now on it was."""
        digest = hashlib.blake2b(row_id.encode(), digest_size=8).digest()
        if digest in self._digests:
            return True
        self._digests.add(digest)
        return False
