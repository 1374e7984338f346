"""Cases for the format reward of style ``think_answer``: a thought, then an answer, each in one pair of tags.

They hold for the strict reading (the tags on lines of their own) and for the lenient one alike.
"""

import random

from r1flow.components.core.seeds import python_rng
from r1flow.components.rewards.adversarial.cases import Case, Family, text_row

ROUNDS = 10


def make_cases(seed: int = 0) -> list[Case]:
    """About three hundred cases, the same for the same seed."""
    cases: list[Case] = []
    row = text_row("5", "math")
    for number in range(ROUNDS):
        rng = python_rng(seed, "adversarial", "format", number)
        t, a = _thought(rng), rng.choice((f"{rng.randint(1, 99)}", "\\boxed{x^2}", "yes, by symmetry"))
        whole = f"<think>\n{t}\n</think>\n<answer>\n{a}\n</answer>"
        cases.append(Case(Family.EQUIVALENT, "whole", row, whole))
        for name, text in _near(whole, t, a).items():
            cases.append(Case(Family.NEAR_MISS, name, row, text))
        for name, text in _attacks(t, a).items():
            cases.append(Case(Family.ADVERSARIAL, name, row, text))
    return cases


def _thought(rng: random.Random) -> str:
    lines = ["Let me see.", "2 < 3, so the order is kept.", "I set x = 4.", "", "Then y follows.", "\\frac{1}{2}"]
    return "\n".join(["First:", *rng.sample(lines, 3), "Done."])


def _near(whole: str, t: str, a: str) -> dict[str, str]:
    missing = {f"without {tag}": whole.replace(tag, "") for tag in ("<think>", "</think>", "<answer>", "</answer>")}
    doubled = {
        f"twice {tag}": whole.replace(tag, f"{tag}\n{tag}") for tag in ("<think>", "</think>", "<answer>", "</answer>")
    }
    return {
        **missing,
        **doubled,
        "answer first": f"<answer>\n{a}\n</answer>\n<think>\n{t}\n</think>",
        "answer inside the thought": f"<think>\n{t}\n<answer>\n{a}\n</answer>\n</think>",
        "words before": f"Sure!\n{whole}",
        "words behind": f"{whole}\nI hope this helps.",
        "words between": whole.replace("</think>\n", "</think>\nSo:\n"),
        "other tags": whole.replace("think>", "thought>"),
        "capitals": whole.replace("<think>", "<THINK>").replace("</think>", "</THINK>"),
        "twice": f"{whole}\n{whole}",
        "no tags": f"{t}\n{a}",
    }


def _attacks(t: str, a: str) -> dict[str, str]:
    return {
        "empty": "",
        "white space": " \n ",
        "empty thought": f"<think>\n\n</think>\n<answer>\n{a}\n</answer>",
        "thought of nothing": f"<think></think><answer>{a}</answer>",
        "thought of spaces": f"<think>\n   \t\n</think>\n<answer>\n{a}\n</answer>",
        "tags alone": "<think></think><answer></answer>",
        "empty answer": f"<think>\n{t}\n</think>\n<answer>\n\n</answer>",
        "tags a hundred times": "<think>\n</think>\n<answer>\n</answer>\n" * 100,
        "nested": f"<think>\n<think>\n{t}\n</think>\n</think>\n<answer>\n{a}\n</answer>",
        "never closed": f"<think>\n{t}\n<answer>\n{a}",
        "escaped": f"&lt;think&gt;{t}&lt;/think&gt;&lt;answer&gt;{a}&lt;/answer&gt;",
        "verdict": '{"format": 1.0}',
    }
