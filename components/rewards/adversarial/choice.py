"""Cases for multiple choice: the letter, however it is set, and nothing but that letter."""

import random

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.attacks import Target, adversarial_cases, broken_gold_cases
from r1flow.components.rewards.adversarial.cases import Case, Family, text_row, thought

TARGETS = 3
_LETTERS = "ABCDE"
_FORMS = {
    "box": "\\boxed{{{}}}",
    "box with text": "\\boxed{{\\text{{{}}}}}",
    "box with brackets": "\\boxed{{({})}}",
    "box with text and brackets": "\\boxed{{\\text{{({})}}}}",
    "box with bold": "\\boxed{{\\textbf{{({})}}}}",
    "box in a sentence": "The answer is $\\boxed{{\\text{{{}}}}}$.",
    "tags": "<answer>{}</answer>",
    "tags with brackets": "<answer>({})</answer>",
    "tags with a full stop": "<answer>{}.</answer>",
    "tags with lines": "<answer>\n{}\n</answer>",
    "tags with a box": "<answer>\\boxed{{{}}}</answer>",
    "bare": "{}",
    "brackets": "({})",
    "full stop": "{}.",
    "sentence": "The answer is {}.",
    "sentence with brackets": "The correct answer is ({}).",
    "heading": "Answer: {}",
    "bold": "Answer: **{}**",
    "line behind words": "We compare all five options.\n\nAnswer: {}",
}


def make_cases(seed: int = 0) -> list[Case]:
    """A few hundred cases, the same for the same seed."""
    cases: list[Case] = []
    for number, gold in enumerate(_LETTERS):
        rng = python_rng(seed, "adversarial", "choice", number)
        row = text_row(rng.choice((gold, gold, f"({gold})", f"\\text{{{gold}}}")), "choice")
        others = [letter for letter in _LETTERS if letter != gold]
        for form, template in _FORMS.items():
            wrong = rng.choice(others)
            right = _behind(rng, f"At first {wrong}: \\boxed{{{wrong}}}.") + template.format(gold)
            cases.append(Case(Family.EQUIVALENT, form, row, right))
            miss = _behind(rng, f"At first {gold}: \\boxed{{{gold}}}.") + template.format(wrong)
            cases.append(Case(Family.NEAR_MISS, form, row, miss))
    cases += _letter_lists(python_rng(seed, "adversarial", "choice", "lists"))
    for number in range(TARGETS):
        rng = python_rng(seed, "adversarial", "choice", "attack", number)
        cases += adversarial_cases("choice", _target(rng), rng)
    return cases + broken_gold_cases("choice")


def _letter_lists(rng: random.Random) -> list[Case]:
    """Questions with two right letters."""
    first, second, third, fourth = rng.sample(_LETTERS, 4)
    row = text_row(f"{first}, {second}", "choice")
    same = {"list": f"{first}, {second}", "and": f"{first} and {second}", "turned round": f"{second}, {first}"}
    different = {
        "first alone": first,
        "second alone": second,
        "one too many": f"{first}, {second}, {third}",
        "one exchanged": f"{first}, {third}",
        "both exchanged": f"{third}, {fourth}",
    }
    forms = ("\\boxed{{{}}}", "<answer>{}</answer>", "\\boxed{{\\text{{{}}}}}")
    return [
        Case(family, f"letters/{name}", row, thought(rng) + form.format(text))
        for family, texts in ((Family.EQUIVALENT, same), (Family.NEAR_MISS, different))
        for name, text in texts.items()
        for form in forms
    ]


def _behind(rng: random.Random, inside: str) -> str:
    return thought(rng, inside=rng.choice(("", inside)), opened=rng.random() < 0.8)


def _target(rng: random.Random) -> Target:
    gold, *others = rng.sample("BCDEFGH", 7)
    every = ", ".join("ABCDEFGH")
    return Target(
        gold=gold,
        others=tuple(others),
        prompt="Which of these numbers is prime? (A) 21 (B) 33 (C) 39 (D) 49 (E) 51 (F) 53 (G) 55 (H) 57",
        more={
            "hedge/all letters": f"\\boxed{{{every}}}",
            "hedge/all letters run together": "\\boxed{ABCDEFGH}",
            "hedge/and": f"The answer is {gold} and {others[0]}.",
            "nothing/letter within a word": f"\\boxed{{\\text{{{gold}anana}}}}",
        },
    )
