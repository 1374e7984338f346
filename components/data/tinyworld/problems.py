"""The two skills: chain sums modulo 100, and copying, reversing or sorting a short string.

A *script* is a way to write numbers in a thought: ``digits`` (0-9, the target language) or ``letters`` (a-j for 0-9, the
other language). Answers are always written in digits, or in the string's own letters.
"""

from dataclasses import dataclass
from random import Random

DIGITS = "0123456789"
LETTERS = "abcdefghij"
STRING_ALPHABET = "klmnopqr"
SCRIPTS = {"digits": str.maketrans("", ""), "letters": str.maketrans(DIGITS, LETTERS)}
MODULUS = 100
MIN_TERMS, MAX_TERMS = 2, 5
MIN_STRING, MAX_STRING = 3, 5


@dataclass(frozen=True)
class Problem:
    """One question: ``prompt`` as the user writes it, its ``answer``, the skill and its level (terms, or letters)."""

    prompt: str
    answer: str
    skill: str
    level: int

    @property
    def key(self) -> str:
        return problem_key(self.skill, self.prompt)


def problem_key(skill: str, prompt: str) -> str:
    """Identity for decontamination: a sum is the same problem in whatever order its terms stand."""
    if skill == "sum":
        return "sum:" + "+".join(sorted(prompt.split("+")))
    return f"{skill}:{prompt}"


def make_sum(rng: Random, terms: int) -> Problem:
    """A sum of ``terms`` two-digit numbers modulo 100, such as ``37+45+68`` with answer ``50``."""
    numbers = [rng.randrange(MODULUS) for _ in range(terms)]
    return Problem("+".join(f"{n:02d}" for n in numbers), f"{sum(numbers) % MODULUS:02d}", "sum", terms)


def make_string(rng: Random, length: int) -> Problem:
    """``C``opy, ``R``everse or ``S``ort a string of ``length`` letters, such as ``Rkmp`` with answer ``pmk``."""
    text = "".join(rng.choice(STRING_ALPHABET) for _ in range(length))
    verb = rng.choice("CRS")
    answer = {"C": text, "R": text[::-1], "S": "".join(sorted(text))}[verb]
    return Problem(verb + text, answer, "string", length)


def make_problem(rng: Random, skill: str, level: int) -> Problem:
    """A random problem of ``skill`` (``sum`` or ``string``) at ``level``."""
    return make_sum(rng, level) if skill == "sum" else make_string(rng, level)


def levels(skill: str) -> range:
    """The levels a skill has: numbers of terms, or of letters."""
    return range(MIN_TERMS, MAX_TERMS + 1) if skill == "sum" else range(MIN_STRING, MAX_STRING + 1)


def sum_steps(prompt: str) -> list[tuple[int, int, int]]:
    """The worked chain of a sum, left to right: (running total, next term, new total), all modulo 100."""
    numbers = [int(term) for term in prompt.split("+")]
    steps, total = [], numbers[0]
    for term in numbers[1:]:
        steps.append((total, term, (total + term) % MODULUS))
        total = steps[-1][2]
    return steps


def write_step(step: tuple[int, int, int], script: str) -> str:
    """One step as text: ``37+45=82``, or ``dh+ef=ic`` in letters."""
    return "{:02d}+{:02d}={:02d}".format(*step).translate(SCRIPTS[script])


def string_thought(answer: str, script: str) -> str:
    """The worked form of a string task: every letter of the answer behind its place, ``1p2m3k``."""
    return "".join(str(place).translate(SCRIPTS[script]) + letter for place, letter in enumerate(answer, 1))
