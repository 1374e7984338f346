import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.rewards.language import AlphabetLanguage, ScriptLanguage, consistency, language_reward

TINY = AlphabetLanguage(target="0123456789", other="abcdefghij")
ENGLISH, CHINESE = ScriptLanguage("en"), ScriptLanguage("zh")


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
        ("so \u6240\u4ee5 it", 0.5),
        ("\u8bbe x \u4e3a y", 0.0),
        ("don't stop", 1.0),
        ("$\\text{hello there}$ 3 + 4 = 7 `code here` \\frac{1}{2} \u03b1", None),
        ("```python\nprint(1)\n``` fine", 1.0),
        ("costs $5 and then $12 \u5757", 3 / 4),
        ("\u043e\u0442\u0432\u0435\u0442 is", 0.5),
        ("", None),
        ("12 34", None),
    ],
)
def test_english_and_chinese_are_told_apart_by_script(thought: str, english: float | None) -> None:
    assert consistency(thought, ENGLISH) == pytest.approx(english)


def test_the_chinese_share_mirrors_the_english_one() -> None:
    assert consistency("so \u6240\u4ee5 it", CHINESE) == 0.5
    assert consistency("\u56e0\u4e3a $x=1$\uff0c\u6240\u4ee5", CHINESE) == 1.0


def test_a_thought_without_words_is_never_rewarded() -> None:
    completions = ["<think></think>50", "50", "<think>+=</think>50", "<think>12</think>50", "<think>1b"]
    assert language_reward(TINY)(completions, []) == [0.0, 0.0, 0.0, 1.0, 0.5]


def test_only_the_thought_is_counted() -> None:
    assert language_reward(TINY)(["<think>ab</think>50"], []) == [0.0]
    assert language_reward(TINY, prefilled=True)(["12</think>ab", "12"], []) == [1.0, 1.0]


@given(st.text())
def test_a_share_lies_between_nought_and_one(thought: str) -> None:
    for spec in (TINY, ENGLISH, CHINESE):
        share = consistency(thought, spec)
        assert share is None or 0.0 <= share <= 1.0


@pytest.mark.parametrize("piece", ["\\[", "\\(", "$", "$$ ", "`", "```", "\\[ \\( ", "a'"])
def test_long_broken_markup_is_counted_all_the_same(piece: str) -> None:
    assert consistency(piece * 50_000 + " word word", ENGLISH) in (None, 1.0)
