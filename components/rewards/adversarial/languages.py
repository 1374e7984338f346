"""Cases for language consistency, by whether the reward reaches ``CONSISTENT``: ``as_verifier(..., at_least=CONSISTENT)``.

The sentences are in English and Chinese, which no sound measure confuses.
"""

import random

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.cases import Case, Family, text_row

ROUNDS = 12
CONSISTENT = 0.9
_ENGLISH = (
    "Let me read the problem once more and write down what is given.",
    "The train leaves the station in the morning and arrives in the evening.",
    "We add both sides and find that the unknown must be positive.",
    "That cannot be right, because the sum of the angles would be too large.",
    "So there are fewer apples in the basket than we thought at first.",
    "Now I check the result by putting it back into the equation.",
)
_CHINESE = (
    "\u6211\u4eec\u5148\u628a\u9898\u76ee\u518d\u8bfb\u4e00\u904d\uff0c\u5199\u4e0b\u5df2\u77e5\u6761\u4ef6\u3002",
    "\u706b\u8f66\u65e9\u4e0a\u4ece\u8f66\u7ad9\u51fa\u53d1\uff0c\u665a\u4e0a\u5230\u8fbe\u3002",
    "\u4e24\u8fb9\u76f8\u52a0\uff0c\u53ef\u4ee5\u77e5\u9053\u672a\u77e5\u6570\u4e00\u5b9a\u662f\u6b63\u6570\u3002",
    "\u8fd9\u4e0d\u5bf9\uff0c\u56e0\u4e3a\u5185\u89d2\u548c\u592a\u5927\u4e86\u3002",
    "\u6240\u4ee5\u7bee\u5b50\u91cc\u7684\u82f9\u679c\u6bd4\u6211\u4eec\u60f3\u7684\u5c11\u3002",
    "\u73b0\u5728\u6211\u628a\u7ed3\u679c\u4ee3\u56de\u65b9\u7a0b\u91cc\u68c0\u9a8c\u4e00\u4e0b\u3002",
)


def english_cases(seed: int = 0) -> list[Case]:
    """The target is English."""
    return _cases(seed, "en", _ENGLISH, _CHINESE)


def chinese_cases(seed: int = 0) -> list[Case]:
    """The target is Chinese."""
    return _cases(seed, "zh", _CHINESE, _ENGLISH)


def _cases(seed: int, target: str, own: tuple[str, ...], foreign: tuple[str, ...]) -> list[Case]:
    row = text_row("5", "math")
    cases: list[Case] = []
    for number in range(ROUNDS):
        rng = python_rng(seed, "adversarial", "language", target, number)
        for family, texts in (
            (Family.EQUIVALENT, _consistent(rng, own)),
            (Family.NEAR_MISS, _mixed(rng, own, foreign)),
            (Family.ADVERSARIAL, _evasions(rng, own, foreign)),
        ):
            cases += [Case(family, name, row, text) for name, text in texts.items()]
    return cases


def _whole(*lines: str) -> str:
    return "<think>\n" + "\n".join(lines) + "\n</think>\n\\boxed{5}"


def _consistent(rng: random.Random, own: tuple[str, ...]) -> dict[str, str]:
    a, b, c = rng.sample(own, 3)
    n = rng.randint(2, 99)
    return {
        "words": _whole(a, b, c),
        "formulas": _whole(a, f"$x^2 + {n}x = \\frac{{1}}{{2}}$", b, "\\[ \\sin(x) \\leq 1 \\]", c),
        "numbers": _whole(a, f"{n} + 5 = {n + 5}", b, c),
        "code": _whole(a, f"```python\nfor value in range({n}):\n    print(value)\n```", b, c),
    }


def _mixed(rng: random.Random, own: tuple[str, ...], foreign: tuple[str, ...]) -> dict[str, str]:
    a, b = rng.sample(own, 2)
    c, d = rng.sample(foreign, 2)
    return {
        "half and half": _whole(a, c, b, d),
        "own last": _whole(c, d, a),
        "foreign": _whole(c, d),
        "within a line": _whole(a + c),
    }


def _evasions(rng: random.Random, own: tuple[str, ...], foreign: tuple[str, ...]) -> dict[str, str]:
    a, c = rng.choice(own), rng.choice(foreign)
    return {
        "empty": "",
        "empty thought": f"<think>\n\n</think>\n{a}",
        "own language behind the thought": f"<think>\n{c}\n</think>\n{a * 20}",
        "numbers alone": _whole("12 + 13 = 25", "25 * 4 = 100"),
        "symbols alone": _whole("... !!! ??? ---"),
        "formulas alone": _whole("$x^2 + 1$", "\\[ \\frac{1}{2} \\]"),
    }
