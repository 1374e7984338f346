"""Markers of reflection are found as whole words, by language and kind."""

from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.rewards.markers import KINDS, MARKERS, Finder
from r1flow.components.rewards.reflection import PAPER_WORDS, count_reflections


def by_kind(text: str, **given: object) -> dict[str, int]:
    counts = Finder(**given).count(text)  # type: ignore[arg-type]
    return {kind: sum(n for (_, of, _), n in counts.items() if of == kind) for kind in KINDS}


def test_every_language_has_every_kind() -> None:
    assert all(set(kinds) == set(KINDS) and all(kinds.values()) for kinds in MARKERS.values())


def test_a_chain_that_turns_back_and_checks_itself() -> None:
    text = "So it is 7. Wait, that's wrong. Let me try again: 8. Double-check: 8 - 1 = 7. Now I verify it."
    assert by_kind(text) == {"reflection": 4, "backtracking": 3, "self_check": 2}
    found = Finder().count(text)
    assert found["en", "backtracking", "let me try again"] == 1
    assert found["en", "self_check", "double-check"] == 1
    assert Finder().first(text, "en", "backtracking", "wait") == text.index("Wait")


def test_words_inside_words_are_none() -> None:
    assert by_kind("waiting, checked, butter, awaits") == dict.fromkeys(KINDS, 0)


def test_chinese_has_no_blanks_between_words() -> None:
    counts = Finder().count("\u7b49\u7b49\uff0c\u4e0d\u5bf9\uff0c\u91cd\u65b0\u9a8c\u7b97\u3002")
    assert {key[0] for key in counts} == {"zh"}
    assert sum(counts.values()) == 5  # the first word reflects and turns back


def test_the_recipes_words_and_the_tiny_worlds_letters() -> None:
    assert by_kind("dh+ef=icwaitdh", words=("wait",), symbols="abcdefghij")["reflection"] == 1
    assert by_kind("hmm, but", words=("hmm",))["reflection"] == 1


@given(st.text(st.sampled_from("Wait but check,.\n0")))
def test_english_reflection_is_what_the_lake_counts(text: str) -> None:
    counts = Finder().count(text)
    english = sum(n for (language, kind, _), n in counts.items() if (language, kind) == ("en", "reflection"))
    assert english == count_reflections(text, PAPER_WORDS)
