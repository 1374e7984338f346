"""Tasks on texts."""

import random
from typing import Any

from r1flow.components.rewards.adversarial.programs.task import Task


def _letters(rng: random.Random) -> str:
    return "".join(rng.choice("aabcE ") for _ in range(rng.randint(3, 12)))


def _run_lengths(s: str) -> list[list[Any]]:
    runs: list[list[Any]] = []
    for letter in s:
        if runs and runs[-1][0] == letter:
            runs[-1][1] += 1
        else:
            runs.append([letter, 1])
    return runs


RUN_LENGTHS = Task(
    "run_lengths",
    _run_lengths,
    (("",), ("a",), ("aab",), ("abba",), ("aaa",)),
    lambda rng: (_letters(rng),),
    {
        "loop": """
def run_lengths(s):
    runs = []
    for c in s:
        if runs and runs[-1][0] == c:
            runs[-1][1] += 1
        else:
            runs.append([c, 1])
    return runs
""",
        "groupby": """
from itertools import groupby

def run_lengths(s):
    return [[letter, len(list(group))] for letter, group in groupby(s)]
""",
        "indices": """
def run_lengths(s):
    out, i = [], 0
    while i < len(s):
        j = i
        while j < len(s) and s[j] == s[i]:
            j += 1
        out.append([s[i], j - i])
        i = j
    return out
""",
    },
    {
        "last run lost": """
def run_lengths(s):
    runs = []
    for c in s:
        if runs and runs[-1][0] == c:
            runs[-1][1] += 1
        else:
            runs.append([c, 1])
    return runs[:-1]
""",
        "counts of letters": """
def run_lengths(s):
    return [[c, s.count(c)] for c in dict.fromkeys(s)]
""",
        "one too few": """
from itertools import groupby

def run_lengths(s):
    return [[c, len(list(g)) - 1] for c, g in groupby(s)]
""",
        "turned round": """
from itertools import groupby

def run_lengths(s):
    return [[len(list(g)), c] for c, g in groupby(s)]
""",
    },
)

VOWELS = Task(
    "vowels",
    lambda s: sum(c in "aeiouAEIOU" for c in s),
    (("",), ("xyz",), ("Apple",), ("queue",), ("IOU",)),
    lambda rng: (_letters(rng),),
    {
        "sum": """
def vowels(s):
    return sum(1 for c in s.lower() if c in 'aeiou')
""",
        "loop": """
def vowels(text):
    count = 0
    for letter in text:
        if letter in {'a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'}:
            count = count + 1
    return count
""",
        "pattern": """
import re

def vowels(s):
    return len(re.findall('[aeiou]', s, re.I))
""",
    },
    {
        "small letters alone": """
def vowels(s):
    return sum(c in 'aeiou' for c in s)
""",
        "y as well": """
def vowels(s):
    return sum(c in 'aeiouy' for c in s.lower())
""",
        "distinct": """
def vowels(s):
    return len(set(s.lower()) & set('aeiou'))
""",
        "consonants": """
def vowels(s):
    return sum(c not in 'aeiou' for c in s.lower())
""",
    },
)

TEXT_TASKS = (RUN_LENGTHS, VOWELS)
