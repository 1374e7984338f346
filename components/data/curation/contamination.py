"""Which training rows meet which evaluation problems, by which rule.

For a pair the first rule that holds counts:

==========  ================================================================================================
identical   the same normalised text
key         the same problem key, where problems have one (a sum is the same in any order of its terms)
whole       a problem of fewer than ten words stands in the row, token for token
variant     the problem with other numbers: dropped by default, always listed apart
ngram       runs of ten shared words (DeepSeek-R1, supplementary) cover a share of the problem's words
reworded    most of the problem's masked shingles stand close together in the row, which states the same numbers
==========  ================================================================================================

A row is read by its prompt and by its completion: a problem may leak into a chain too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from r1flow.components.data.curation.evaluation import Evaluation
from r1flow.components.data.curation.hashing import Texts, Vocabulary
from r1flow.components.data.curation.passages import Passage, closest, covered, longest
from r1flow.components.data.curation.settings import Curation
from r1flow.components.data.curation.text import normalise, words

RULES = ("identical", "key", "whole", "variant", "ngram", "reworded")
SAME_NUMBERS = 0.8
"""Share of a problem's numbers that a row must state to be the same problem in other words."""
MANY_WORDS = 20
SHORT_PROBLEM = 0.15
"""A problem of fewer words is told by its shingles and numbers only with so much more of the shingles, or the same answer."""
_MAX_SHARED = 200
_CELLS = 2_000_000


@dataclass(frozen=True)
class Match:
    """A training row and an evaluation problem that it meets: by which rule, how far, and what they share."""

    row: int
    suite: str
    problem: str
    rule: str
    similarity: float
    shared: str


class Matcher:
    """Finds the matches of shards of rows; holds the index and vocabularies that outlive a shard."""

    def __init__(self, evaluation: Evaluation, settings: Curation) -> None:
        self._evaluation, self._settings = evaluation, settings
        drops = [rule for rule in RULES if settings.drop_variants or rule != "variant"]
        self._rules = (*drops, *(rule for rule in RULES if rule not in drops))

    def match(
        self,
        texts: Sequence[str],
        answers: Sequence[str],
        keys: Sequence[str | None],
        run: tuple[npt.NDArray[np.uint64], Texts],
        vocabulary: Vocabulary,
    ) -> list[Match]:
        """Matches, by row and suite; of a suite's problems the one that comes first by rule and similarity.

        ``texts`` are normalised and alternate: prompt, completion; ``run`` are their token rows (``features``).
        """
        table, tokens = run
        evaluation, settings = self._evaluation, self._settings
        found: list[Match] = []
        for row, key in enumerate(keys):
            for place in evaluation.by_text.get(texts[2 * row], ()):
                found.append(self._met(row, place, "identical", 1.0, texts[2 * row]))
            if key is not None:
                found += [self._met(row, place, "key", 1.0, key) for place in evaluation.by_key.get(key, ())]
        hashes, offsets = vocabulary.read([words(text) for text in texts])
        runs = Texts(hashes[:, 0], offsets).runs(settings.ngram, short=False)
        candidates = set(self._ngrams(runs))
        if settings.near:
            found += self._wholes(tokens, texts)
            candidates |= set(self._near(Texts(table[:, 1], tokens.offsets)))
        by_text: dict[int, list[int]] = {}
        for text, place in sorted(candidates):
            by_text.setdefault(text, []).append(place)
        for text, places in by_text.items():
            passage = Passage(texts[text])
            matches = (self._compare(text // 2, passage, answers[text // 2], place) for place in places)
            found += [match for match in matches if match is not None]
        return _first_of_each(found, self._rules)

    def _met(self, row: int, place: int, rule: str, similarity: float, shared: str) -> Match:
        problem = self._evaluation.problems[place]
        return Match(row, problem.suite, problem.id, rule, round(similarity, 4), shared[:_MAX_SHARED])

    def _ngrams(self, runs: Texts) -> Iterator[tuple[int, int]]:
        """(text, problem) that share a run of words."""
        places, problems = self._evaluation.ngrams.find(runs.hashes)
        yield from set(zip(runs.owners()[places].tolist(), problems.tolist(), strict=True))

    def _wholes(self, tokens: Texts, texts: Sequence[str]) -> Iterator[Match]:
        for length, problems in self._evaluation.wholes.items():
            runs = tokens.runs(length, short=False)
            for index in np.flatnonzero(np.isin(runs.hashes, np.fromiter(problems, np.uint64, len(problems)))):
                text = int(np.searchsorted(runs.offsets, index, side="right")) - 1
                for place in problems[int(runs.hashes[index])]:
                    yield self._met(text // 2, place, "whole", 1.0, self._evaluation.problems[place].prompt)

    def _near(self, masked: Texts) -> Iterator[tuple[int, int]]:
        """(text, problem) where the text holds enough of the problem's masked shingles, near each other or not."""
        evaluation = self._evaluation
        sets = masked.runs(self._settings.shingle, short=True).sets()
        num = len(evaluation.problems)
        step = max(1, _CELLS // max(1, num))
        for begin in range(0, len(sets.lengths), step):
            end = min(begin + step, len(sets.lengths))
            low, high = sets.offsets[begin], sets.offsets[end]
            places, problems = evaluation.shingles.find(sets.hashes[low:high])
            owners = np.repeat(np.arange(end - begin), sets.lengths[begin:end])[places]
            counts = np.bincount(owners * num + problems, minlength=(end - begin) * num).reshape(-1, num)
            least = min(self._settings.reworded, self._settings.similar)
            text, problem = np.nonzero(counts >= np.maximum(1, least * evaluation.sizes))
            yield from zip((text + begin).tolist(), problem.tolist(), strict=True)

    def _compare(self, row: int, passage: Passage, answer: str, place: int) -> Match | None:
        """The rule by which a text meets a problem, of those that compare word by word."""
        settings, problem = self._settings, self._evaluation.problems[place]
        share, shared = covered(passage.words, problem.words, settings.ngram)
        by_words = share > 0 and share >= settings.ngram_share
        if not settings.near or len(problem.words) < settings.ngram:
            return self._met(row, place, "ngram", share, shared) if by_words else None
        close = closest(passage, problem, settings.shingle, 1)
        other_numbers = close.numbers < SAME_NUMBERS and problem.letters >= settings.ngram
        if other_numbers and close.jaccard >= settings.similar and (settings.drop_variants or not by_words):
            return self._met(row, place, "variant", close.jaccard, shared or longest(passage, problem))
        if by_words:
            return self._met(row, place, "ngram", share, shared)
        wide = closest(passage, problem, settings.shingle, 2)
        telling = problem.letters >= MANY_WORDS or (problem.answer != "" and normalise(answer) == problem.answer)
        least = settings.reworded if telling else settings.reworded + SHORT_PROBLEM
        if wide.numbers >= SAME_NUMBERS and wide.contained >= least:
            return self._met(row, place, "reworded", wide.contained, longest(passage, problem))
        return None


def _first_of_each(found: list[Match], rules: Sequence[str]) -> list[Match]:
    best: dict[tuple[int, str], Match] = {}
    for match in sorted(found, key=lambda m: (m.row, m.suite, rules.index(m.rule), -m.similarity, m.problem, m.shared)):
        best.setdefault((match.row, match.suite), match)
    return list(best.values())
