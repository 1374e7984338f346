import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import ConfigError
from r1flow.components.core.languages import RIVALS, SCRIPT_OF
from r1flow.components.rewards.base import RewardBatch
from r1flow.components.rewards.language import AlphabetLanguage, NaturalLanguage, consistency, language_reward
from r1flow.components.rewards.languages.detector import evidence
from r1flow.components.rewards.languages.labelling import best_path

TINY = AlphabetLanguage(target="0123456789", other="abcdefghij")
ENGLISH, CHINESE = NaturalLanguage("en"), NaturalLanguage("zh")


@pytest.mark.parametrize(
    ("thought", "share"),
    [
        ("37+45=82", 1.0),
        ("dh+ef=ic", 0.0),
        ("37+ef=8c", 0.5),
        ("1p2m3k", 1.0),
        ("bpcmdk", 0.0),
        ("12;wait12", 1.0),
        ("<think>12</think>", 1.0),
        ("", None),
        ("wait;+=", None),
        ("pmk", None),
    ],
)
def test_tiny_languages_are_counted_by_character(thought: str, share: float | None) -> None:
    assert consistency(thought, TINY) == share


@pytest.mark.parametrize(
    ("thought", "english"),
    [
        ("We add the two numbers.", 1.0),
        ("\u6211\u4eec\u628a\u4e24\u4e2a\u6570\u76f8\u52a0", 0.0),
        ("so \u6240\u4ee5 it", 2 / (2 + 2 / 1.4)),
        ("\u8bbe x \u4e3a y", 0.0),
        ("don't stop", 1.0),
        ("$\\text{hello there}$ 3 + 4 = 7 `code here` \\frac{1}{2} \u03b1", None),
        ("```python\nprint(1)\n``` fine", 1.0),
        ("\\begin{align*}\nab &= cd \\\\ \\text{so} & e\n\\end{align*} fine \u5757", 1 / (1 + 1 / 1.4)),
        ("[asy] draw(circle); [/asy] fine", 1.0),
        ("costs $5 and then $12 \u5757", 3 / (3 + 1 / 1.4)),
        ("\u043e\u0442\u0432\u0435\u0442 is", 0.5),
        ("xy = 12, 2ab + sin x, snake_case, ABC, AIME, https://example.org/a", None),
        ("", None),
        ("12 34", None),
    ],
)
def test_words_are_counted_and_what_is_no_language_is_not(thought: str, english: float | None) -> None:
    assert consistency(thought, ENGLISH) == pytest.approx(english)


def test_the_chinese_share_mirrors_the_english_one() -> None:
    assert consistency("so \u6240\u4ee5 it", CHINESE) == pytest.approx(1 - 2 / (2 + 2 / 1.4))
    assert consistency("\u56e0\u4e3a $x=1$\uff0c\u6240\u4ee5 sin x \u5728\u4e09\u89d2\u5f62ABC\u4e2d", CHINESE) == 1.0


# A few lines of reasoning in every known language: "Let x = 3. Then y = 5, so x + y = 8. Wait, let me check again."
REASONING: dict[str, str] = json.loads(Path(__file__).with_name("language_samples.json").read_text("utf-8"))


def test_every_known_language_has_its_sample() -> None:
    assert set(REASONING) == set(SCRIPT_OF) == {code for codes in RIVALS.values() for code in codes}


@pytest.mark.parametrize("code", sorted(REASONING))
def test_short_reasoning_is_of_its_own_language_and_of_no_other(code: str) -> None:
    assert consistency(REASONING[code], NaturalLanguage(code)) == 1.0
    # Danish and Norwegian share whole sentences: "og derfor er ..." is both.
    others = {other: consistency(REASONING[code], NaturalLanguage(other)) for other in set(REASONING) - {code}}
    assert {other: share for other, share in others.items() if share and share > 0.4} == {}


@pytest.mark.parametrize("tag", ["pt-BR", "pt_BR", "zh-Hant", "de-1996", "EN", "nb", "el-monoton"])
def test_a_tag_may_carry_script_and_region(tag: str) -> None:
    assert NaturalLanguage(tag).target == tag


@pytest.mark.parametrize("tag", ["", "xx", "english", "0123456789"])
def test_an_unknown_language_is_refused_with_the_known_ones(tag: str) -> None:
    with pytest.raises(ConfigError, match="known are ar, bg, bn, cs, da, de"):
        NaturalLanguage(tag)


@pytest.mark.parametrize("word", ["Hmm", "ok", "Natalia", "Compute 3*4", "In total 5"])
def test_a_thought_of_a_word_or_two_gets_the_benefit_of_the_doubt(word: str) -> None:
    assert consistency(word, ENGLISH) == 1.0


def test_only_what_scripts_leave_open_needs_the_detector() -> None:
    code = (
        "import sys; from r1flow.components.rewards.language import *;"
        "print(consistency('\u6211\u4eec say', NaturalLanguage('zh')), consistency('say', NaturalLanguage('ko')),"
        "consistency('\u3072\u3089\u304c\u306a\u6f22\u5b57', NaturalLanguage('ja')), 'py3langid' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split()[1:] == ["0.0", "1.0", "False"]


def test_threads_agree_with_one_another() -> None:
    thoughts = [REASONING[code] for code in ("en", "de", "fr", "pl", "vi", "ru", "fa")] * 8
    alone = [consistency(thought, ENGLISH) for thought in thoughts]
    evidence.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda thought: consistency(thought, ENGLISH), thoughts)) == alone


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(-9, 0), min_size=3, max_size=3), min_size=1, max_size=5), st.integers(0, 6))
def test_the_best_path_is_the_best_of_all_paths(rows: list[list[int]], switch: int) -> None:
    scores = np.array(rows, dtype=float)

    def worth(path: tuple[int, ...]) -> float:
        changes = sum(a != b for a, b in pairwise(path))
        return float(sum(scores[i, s] for i, s in enumerate(path))) - switch * changes

    paths = np.ndindex(*([3] * len(rows)))
    assert worth(tuple(best_path(scores, switch))) == max(map(worth, paths))


def test_a_thought_without_words_is_never_rewarded() -> None:
    completions = ["<think></think>50", "50", "<think>+=</think>50", "<think>12</think>50", "<think>1b"]
    assert language_reward(TINY)(RewardBatch(completions)) == [0.0, 0.0, 0.0, 1.0, 0.5]


def test_only_the_thought_is_counted() -> None:
    assert language_reward(TINY)(RewardBatch(["<think>ab</think>50"])) == [0.0]
    assert language_reward(TINY)(RewardBatch(["12</think>ab", "12"], prefilled=True)) == [1.0, 1.0]


@given(st.text())
def test_a_share_lies_between_nought_and_one(thought: str) -> None:
    for spec in (TINY, ENGLISH, CHINESE):
        share = consistency(thought, spec)
        assert share is None or 0.0 <= share <= 1.0


@pytest.mark.parametrize(
    "piece",
    [
        *("\\[", "\\(", "$", "$$ ", "`", "```", "\\[ \\( ", "a'", "[asy]", "\\begin{align}", "\\mathrm{"),
        *("a1", "a_", "ab=", "<a", "http://", "AB ", "\u0301"),
    ],
)
def test_long_broken_markup_is_counted_all_the_same(piece: str) -> None:
    share = consistency(piece * 50_000 + " word word", ENGLISH)
    assert share is None or 0.0 <= share <= 1.0
