"""The evaluation problems of all suites, indexed for everything that a training row may share with one of them."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from r1flow.components.core.schema import Row
from r1flow.components.data.curation.features import token_vocabulary
from r1flow.components.data.curation.hashing import Hashes, Texts, Vocabulary, hash_text
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.curation.text import is_number, masked_runs, normalise, pieces, tokens, words

FEWEST_TOKENS = 3
"""A problem of fewer tokens is matched only as a row's whole text: inside another text it says nothing."""
_BITS = 22
Key = Callable[[Row], str]


@dataclass(frozen=True)
class Problem:
    """One evaluation problem."""

    suite: str
    id: str
    prompt: str
    answer: str
    """Normalised."""
    key: str | None

    @cached_property
    def words(self) -> list[str]:
        return words(normalise(self.prompt))

    @cached_property
    def tokens(self) -> list[str]:
        return tokens(self.prompt)

    @cached_property
    def figures(self) -> Counter[str]:
        """Its numbers."""
        return Counter(token for token in self.tokens if is_number(token))

    @cached_property
    def letters(self) -> int:
        """Tokens that are words: a formula of many signs is no text that could be told from another."""
        return sum(len(token) > 1 and token.isalpha() and not is_number(token) for token in self.tokens)

    @cache  # noqa: B019 - problems live as long as the process
    def masked(self, width: int) -> frozenset[tuple[str, ...]]:
        return frozenset(masked_runs(self.tokens, width))


class Postings:
    """Which problems hold a hash: look-ups of many hashes at once, nearly all of which are in none."""

    def __init__(self, texts: Texts) -> None:
        owners = texts.owners()
        order = np.lexsort((owners, texts.hashes))
        self._owners = owners[order]
        self._hashes, first = np.unique(texts.hashes[order], return_index=True)
        self._bounds = np.append(first, len(order))
        self._sieve = np.zeros(1 << _BITS, bool)
        self._sieve[self._hashes & np.uint64((1 << _BITS) - 1)] = True

    def find(self, hashes: Hashes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(place in ``hashes``, problem) of every occurrence."""
        places = np.flatnonzero(self._sieve[hashes & np.uint64((1 << _BITS) - 1)])
        index = np.searchsorted(self._hashes, hashes[places])
        held = index < len(self._hashes)
        places, index = places[held], index[held]
        held = self._hashes[index] == hashes[places]
        places, index = places[held], index[held]
        counts = self._bounds[index + 1] - self._bounds[index]
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(places, counts), self._owners[np.repeat(self._bounds[index], counts) + within]


class Evaluation:
    """The index. Built from the problems in each worker; it is small beside a shard of rows."""

    def __init__(self, problems: Sequence[Problem], settings: Curation) -> None:
        self.problems = list(problems)
        self.by_text: dict[str, list[int]] = {}
        self.by_key: dict[str, list[int]] = {}
        for place, problem in enumerate(self.problems):
            self.by_text.setdefault(normalise(problem.prompt), []).append(place)
            if problem.key is not None:
                self.by_key.setdefault(problem.key, []).append(place)
        plain = [normalise(problem.prompt) for problem in self.problems]
        self.lengths = np.array([len(problem.words) for problem in self.problems], np.int64)
        self.ngrams = Postings(
            Texts(*_column(word_vocabulary().read([words(text) for text in plain]), 0)).runs(
                settings.ngram, short=False
            )
        )
        table, offsets = token_vocabulary().read([pieces(text) for text in plain])
        short = self.lengths < settings.ngram
        whole, self.masked = (
            Texts(table[:, 0], offsets),
            Texts(table[:, 1], offsets).runs(settings.shingle, short=True).sets(),
        )
        self.wholes: dict[int, dict[int, list[int]]] = {}
        for place in np.flatnonzero(short & (whole.lengths >= FEWEST_TOKENS)):
            run = Texts(whole.of(place), np.array([0, whole.lengths[place]])).runs(
                int(whole.lengths[place]), short=False
            )
            self.wholes.setdefault(int(whole.lengths[place]), {}).setdefault(int(run.hashes[0]), []).append(int(place))
        self.sizes = np.where(short, np.iinfo(np.int64).max // 2, self.masked.lengths)  # short ones never nearly match
        self.shingles = Postings(self.masked)


def word_vocabulary() -> Vocabulary:
    return Vocabulary(lambda word: (hash_text(word),), 1)


def _column(read: tuple[Hashes, npt.NDArray[np.int64]], number: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    return read[0][:, number], read[1]


def dump_problems(suites: Mapping[str, Iterable[Row]], key: Key | None, path: Path) -> dict[str, int]:
    """The problems of all suites to ``path``, for the workers; how many each suite has."""
    counts = {}
    with path.open("w", encoding="utf-8") as stream:
        for suite, rows in suites.items():
            counts[suite] = 0
            for row in rows:
                counts[suite] += 1
                stream.write(
                    json.dumps([suite, row.id, row.prompt, normalise(row.answer), None if key is None else key(row)])
                    + "\n"
                )
    return counts


def load_problems(path: Path) -> list[Problem]:
    with path.open(encoding="utf-8") as lines:
        return [Problem(*json.loads(line)) for line in lines]
