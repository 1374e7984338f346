"""Demonstrations as a lake would hold them: every completion scored by the verifiers that training uses."""

from collections.abc import Iterator, Sequence

import xxhash

from r1flow.components.core.errors import DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.selection import Completion
from r1flow.components.programs.language_model import scoring
from r1flow.components.programs.spec import Spec

AT_ONCE = 256
"""Completions that are scored at a time: what is in memory."""


def need_answers(rows: Sequence[Row], owner: str) -> None:
    """DataError where a row says nothing that its completion could be held against: it would be dropped as wrong."""
    bare = [row for row in rows if (row.tests is None if row.verifier == "code" else not row.answer)]
    if bare:
        raise DataError(
            f"{owner}: {len(bare):,} of {len(rows):,} demonstrations have no answer to hold their completion against (first: "
            f"{bare[0].id}); give the source columns.answer, or name the demonstrations in an sft stage, which takes them "
            "unverified"
        )


def verified(spec: Spec, rows: Sequence[Row]) -> Iterator[Completion]:
    """The completions of ``rows`` with verdict, format and language, under the columns of a lake.

    No model is loaded, so ``ids`` are the completion's words: they count its length and its repetitions.
    """
    with scoring(spec, None, {"accuracy": 1.0}) as score:
        for start in range(0, len(rows), AT_ONCE):
            asked = rows[start : start + AT_ONCE]
            texts = [row.completion or "" for row in asked]
            for row, text, scored in zip(asked, texts, score(texts, asked), strict=True):
                yield {
                    "prompt_id": row.id,
                    "text": text,
                    "ids": [xxhash.xxh32_intdigest(word.encode()) for word in text.split()],
                    "verdict": scored.verdict,
                    "format_ok": scored.format_ok,
                    "language": scored.language,
                    "finished": True,
                }
