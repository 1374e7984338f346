"""From clauses to words of the target language and words of all others."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from r1flow.components.core.languages import LETTERS_PER_WORD, RIVALS, SCRIPT_OF
from r1flow.components.rewards.languages.detector import DETECTED, evidence
from r1flow.components.rewards.languages.words import Clause, count_letters

# In the detector's log-likelihoods (``detector.evidence``).
SWITCH = 4.0  # what a change of language between two clauses has to be worth
START = 8.0  # the start in the target language, likewise; settles thoughts of one or two words
MIXTURE = 2.0  # weight of the thought's own mixture of languages: the rarer there, the more a clause has to say
EXPECTED, UNEXPECTED = 10.0, 0.1  # words of the target and of each other language added to that mixture
# Points for Japanese: each kana. Points for Chinese: each Han character, by whether its run is as long as kana seldom
# let a run grow in Japanese. Beside them what a change between clauses has to be worth.
KANA, HAN, HAN_IN_LONG_RUN, LONG_RUN, CJK_SWITCH = 4.0, 0.5, 2.0, 5, 3.0


def count_words(clauses: Sequence[Clause], target: str) -> tuple[float, float]:
    """Words in the language ``target`` and words in any other; scripts without spaces are counted by their letters."""
    own = SCRIPT_OF[target]
    labels = _detected(clauses, own, target) if own in DETECTED else [target] * len(clauses)
    hit = miss = 0.0
    for clause, label, east in zip(clauses, labels, _chinese_or_japanese(clauses), strict=True):
        for script, words in clause.items():
            if script in ("Han", "Kana"):
                code, count = east, sum(map(len, words)) / LETTERS_PER_WORD[east]
            elif script == "Thai":
                code, count = "th", sum(map(count_letters, words)) / LETTERS_PER_WORD["th"]
            else:
                code, count = (label if script == own else ""), float(len(words))
            hit, miss = (hit + count, miss) if code == target else (hit, miss + count)
    return hit, miss


def _detected(clauses: Sequence[Clause], script: str, target: str) -> list[str]:
    """The language of each clause's words of ``script``, by the detector; of a clause without any, the target.

    Decoded twice as a hidden Markov chain over clauses: as it stands, and again with the mixture found as the prior.
    """
    languages = RIVALS[script]
    labels = [target] * len(clauses)
    spoken = [index for index, clause in enumerate(clauses) if script in clause]
    if not spoken:
        return labels
    words = [list(dict.fromkeys(word.lower() for word in clauses[index][script])) for index in spoken]
    starts = np.cumsum([0, *map(len, words[:-1])])
    scores = np.add.reduceat(np.array([evidence(word, script) for clause in words for word in clause]), starts)
    own = languages.index(target)
    first = scores.copy()
    first[0, own] += START
    sizes = [len(clauses[index][script]) for index in spoken]
    found = np.bincount(best_path(first, SWITCH), weights=sizes, minlength=len(languages))
    mixture = found + UNEXPECTED
    mixture[own] += EXPECTED
    scores += MIXTURE * np.log(mixture / mixture.sum())
    for index, best in zip(spoken, best_path(scores, SWITCH), strict=True):
        labels[index] = languages[best]
    return labels


def _chinese_or_japanese(clauses: Sequence[Clause]) -> list[str]:
    """``zh`` or ``ja`` for each clause; it matters only where there are Han characters or kana."""
    if not any("Kana" in clause for clause in clauses):
        return ["zh"] * len(clauses)
    scores = np.array(
        [
            (
                sum(len(run) * (HAN_IN_LONG_RUN if len(run) >= LONG_RUN else HAN) for run in clause.get("Han", ())),
                KANA * sum(map(len, clause.get("Kana", ()))),
            )
            for clause in clauses
        ]
    )
    return [("zh", "ja")[best] for best in best_path(scores, CJK_SWITCH)]


def best_path(scores: npt.NDArray[np.floating], switch: float) -> list[int]:
    """The states s_1..s_n with the largest ``sum_i scores[i, s_i] - switch * (number of i with s_i != s_i-1)``.

    Viterbi's algorithm where every change costs the same, so that a step is linear in the number of states.
    ``scores``: (n, states), n > 0.
    """
    winners = scores.argmax(axis=1)
    if (winners == winners[0]).all():
        return [int(winners[0])] * len(scores)
    best = scores[0].astype(np.float64)
    came_from = np.empty(scores.shape, dtype=np.intp)
    stay = np.arange(scores.shape[1])
    for index, score in enumerate(scores[1:], start=1):
        top = int(best.argmax())
        changed = best[top] - switch
        came_from[index] = np.where(best >= changed, stay, top)
        best = np.maximum(best, changed) + score
    path = [int(best.argmax())]
    for index in range(len(scores) - 1, 0, -1):
        path.append(int(came_from[index, path[-1]]))
    return path[::-1]
