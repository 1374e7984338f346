"""Keep the evaluation's problems out of the training rows.

Three rules, first match wins: the same normalised prompt; the same problem key, where problems have one (a sum is the
same sum in any order of its terms); a shared run of ten words, the paper's rule (DeepSeek-R1, supplementary).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from components.data.dedup import normalise
from components.data.schema import Row

NGRAM_WORDS = 10
_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3400-\u4dbf\u4e00-\u9fff]+")  # each Chinese character is a word
_MAX_SHARED = 200

Key = Callable[[Row], str]


@dataclass(frozen=True)
class Match:
    """A training row that was dropped, the evaluation row it meets, by which rule, and the text or key they share."""

    train_id: str
    eval_id: str
    rule: Literal["identical", "key", "ngram"]
    shared: str


def decontaminate(
    train: Sequence[Row], evaluation: Sequence[Row], *, key: Key | None = None, ngram_words: int = NGRAM_WORDS
) -> tuple[list[Row], list[Match]]:
    """Training rows that share nothing with ``evaluation``, and one match for each row that does.

    Evaluation rows are read by their prompt, training rows by prompt and completion: a problem may leak
    into a chain too.
    """
    prompts = _index((normalise(row.prompt), row.id) for row in evaluation)
    keys = {} if key is None else _index((key(row), row.id) for row in evaluation)
    grams = _index((gram, row.id) for row in evaluation for gram in _ngrams(row.prompt, ngram_words))
    kept: list[Row] = []
    matches: list[Match] = []
    for row in train:
        match = _match(row, prompts, keys, grams, key, ngram_words)
        if match is None:
            kept.append(row)
        else:
            matches.append(match)
    return kept, matches


def _match(
    row: Row, prompts: dict[str, str], keys: dict[str, str], grams: dict[str, str], key: Key | None, ngram_words: int
) -> Match | None:
    prompt = normalise(row.prompt)
    if prompt in prompts:
        return Match(row.id, prompts[prompt], "identical", prompt[:_MAX_SHARED])
    if key is not None and (row_key := key(row)) in keys:
        return Match(row.id, keys[row_key], "key", row_key[:_MAX_SHARED])
    for text in (row.prompt, row.completion or ""):
        for gram in _ngrams(text, ngram_words):
            if gram in grams:
                return Match(row.id, grams[gram], "ngram", gram[:_MAX_SHARED])
    return None


def _index(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    """The first id for every text."""
    index: dict[str, str] = {}
    for text, row_id in pairs:
        index.setdefault(text, row_id)
    return index


def _ngrams(text: str, num_words: int) -> Iterator[str]:
    words = _WORD.findall(normalise(text))
    return (" ".join(words[start : start + num_words]) for start in range(len(words) - num_words + 1))
