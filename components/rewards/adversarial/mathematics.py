"""Cases for answers in mathematics.

Each drawn specimen gives its equivalent forms and near misses, each set apart in one of the ways that models mark a
final answer, behind a thought that holds what must not count: wrong answers where the right one follows, and the right
one where a wrong one follows.
"""

import random

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.answers import expressions, numbers, structures, words
from r1flow.components.rewards.adversarial.attacks import Target, adversarial_cases, broken_gold_cases
from r1flow.components.rewards.adversarial.cases import Case, Family, Specimen, text_row, thought

ROUNDS = 7  # specimens of each generator
TARGETS = 6  # answers that are attacked

_GENERATORS = (
    numbers.integer,
    numbers.fraction,
    numbers.finite_decimal,
    numbers.mixed,
    numbers.scientific,
    expressions.root,
    expressions.surd,
    expressions.multiple_of_pi,
    expressions.power,
    expressions.logarithm,
    expressions.complex_number,
    expressions.polynomial,
    expressions.formula,
    expressions.rational_function,
    expressions.trigonometric,
    structures.finite_set,
    structures.several,
    structures.point,
    structures.interval,
    structures.union,
    structures.matrix,
    structures.inequality,
    structures.line,
    structures.circle,
    structures.plus_minus,
    words.name,
    words.quantity,
    words.money,
    words.angle,
    words.percentage,
    words.numeral,
)

_MARKED = (
    "\\boxed{{{}}}",
    "The answer is \\boxed{{{}}}.",
    "Therefore\n\\[\n\\boxed{{{}}}\n\\]",
    "**Final answer:** $\\boxed{{{}}}$",
    "<answer>{}</answer>",
    "<answer>\n{}\n</answer>",
    "<answer>\\boxed{{{}}}</answer>",
    "I found it in 3 steps and checked it in 2 ways.\n\n<answer>{}</answer>",
    "\\boxed{{{}}}\n\nThis took 12 lines, of which 7 are a check.",
)
_PLAIN = ("#### {}", "It takes 2 steps.\n#### {}", "The answer is {}.", "The answer is {}", "Answer: {}", "{}")
_PLAIN_FORMS = frozenset({"as it is", "commas", "minus sign", "decimals", "slash", "improper slash", "dollars"})
_NUMERIC = frozenset({"integer", "fraction"})


def make_cases(seed: int = 0) -> list[Case]:
    """About three thousand cases, the same for the same seed."""
    cases: list[Case] = []
    for generator in _GENERATORS:
        for number in range(ROUNDS):
            rng = python_rng(seed, "adversarial", "math", generator.__name__, number)
            cases += _specimen_cases(generator(rng), rng)
    for number in range(TARGETS):
        rng = python_rng(seed, "adversarial", "math", "attack", number)
        cases += adversarial_cases("math", _target(rng), rng)
    return cases + broken_gold_cases("math")


def _specimen_cases(specimen: Specimen, rng: random.Random) -> list[Case]:
    gold = rng.choice(("{}", "{}", "${}$", "\\boxed{{{}}}")).format(specimen.gold)
    row = text_row(gold, "math")
    cases = []
    for form, text in specimen.same.items():
        plain = specimen.name in _NUMERIC and form in _PLAIN_FORMS
        wrong = rng.choice(list(specimen.different.values()))
        before = thought(rng, inside=rng.choice(("", f"Perhaps \\boxed{{{wrong}}}. No.")), opened=rng.random() < 0.8)
        completion = before + rng.choice(_MARKED + _PLAIN * plain).format(text)
        cases.append(Case(Family.EQUIVALENT, f"{specimen.name}/{form}", row, completion))
    for miss, text in specimen.different.items():
        before = thought(rng, inside=rng.choice(("", f"So \\boxed{{{specimen.gold}}}.")), opened=rng.random() < 0.8)
        completion = before + rng.choice(_MARKED + _PLAIN).format(text)
        cases.append(Case(Family.NEAR_MISS, f"{specimen.name}/{miss}", row, completion))
    return cases


def _target(rng: random.Random) -> Target:
    a, b = rng.randint(12, 400), rng.randint(12, 400)
    gold = a + b
    others = [gold + step for step in rng.sample([-9, -7, -4, -2, -1, 1, 3, 5, 8, 11], 6)]
    return Target(
        gold=f"{gold}",
        others=tuple(map(str, others)),
        prompt=f"A shelf holds {a} books. Then {b} more are put on it. How many books does it hold now?",
        more={
            "hedge/interval": f"\\boxed{{[{gold - 1}, {gold + 1}]}}",
            "hedge/plus minus": f"\\boxed{{{gold} \\pm 1}}",
            "hedge/inequality": f"\\boxed{{x \\geq {gold}}}",
            "hedge/range": f"\\boxed{{{gold - 2}, {gold - 1}, {gold}, {gold + 1}, \\ldots}}",
            "hedge/about": f"\\boxed{{{gold}.5}} or so",
            "negated/unequal": f"\\boxed{{x \\neq {gold}}}",
            "hedge/set": f"\\boxed{{\\{{{gold}, {others[0]}\\}}}}",
            "hedge/equation": f"\\boxed{{x = {gold} \\text{{ or }} x = {others[0]}}}",
            "nothing/letter": "\\boxed{x}",
            "nothing/nan": "\\boxed{\\text{nan}}",
            "nothing/infinity": "\\boxed{\\infty}",
            "nothing/identity": "\\boxed{x = x}",
            "nothing/undefined": "\\boxed{\\frac{0}{0}}",
        },
    )
