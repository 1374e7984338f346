from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.data.curation.text import jaccard, normalise, shingles, tokens, words


def test_case_width_and_white_space_do_not_distinguish_texts() -> None:
    assert normalise(" \uff28ello\n\tStra\u00dfe \ufb01n ") == normalise("hello STRASSE fin")


@given(st.text())
def test_normalising_twice_changes_nothing_but_what_unicode_itself_leaves_open(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == normalise(normalise(once))
    assert once == " ".join(once.split())


def test_each_chinese_character_is_a_word() -> None:
    assert words(normalise("\u5c0f\u660e\u6709 5 kg")) == ["\u5c0f", "\u660e", "\u6709", "5", "kg"]


def test_numbers_have_one_spelling_and_punctuation_none() -> None:
    assert tokens("She paid $1,000.50, then two.") == ["she", "paid", "1000.50", "then", "2"]
    assert tokens("the points (1,2) and (12)") == ["the", "points", "1", "2", "and", "12"]
    assert tokens(r"\left(\dfrac{1}{2}\right)") == tokens(r"(\frac{1}{2})")


def test_a_minus_is_a_token_and_a_hyphen_is_not() -> None:
    assert tokens("a well-known 10-foot wall") == ["a", "well", "known", "10", "foot", "wall"]
    assert tokens("x-3 = -5") == ["x", "-", "3", "=", "-", "5"]


def test_a_text_without_words_is_compared_by_its_characters() -> None:
    assert tokens("\u222b \u2211") == ["\u222b", "\u2211"]


def test_jaccard_of_known_sets() -> None:
    first, second = shingles("one red fox runs", 2), shingles("one red fox sits", 2)
    assert jaccard(first, second) == 2 / 4
    assert shingles("alone", 2) == {("alone",)}
    assert jaccard(shingles("", 2), shingles("", 2)) == 0.0


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_has_the_words_and_tokens_that_it_has_beside_other_characters(text: str) -> None:
    beside = normalise(f"{text} \u00e9")
    assert words(beside) == [*words(normalise(text)), "\u00e9"]
    if any(character.isalnum() for character in text):
        assert tokens(f"{text} \u00e9") == [*tokens(text), "\u00e9"]
