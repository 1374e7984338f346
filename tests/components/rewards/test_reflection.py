import pytest

from r1flow.components.rewards.reflection import count_reflections


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Wait, that is WRONG. However, let me check", 4),
        ("waiting checked errors butter", 0),
        ("12;wait37+45=82;wait", 2),
        ("82wait82", 1),
        ("wait_wait", 2),
    ],
)
def test_whole_words_are_counted_in_any_case(text: str, count: int) -> None:
    assert count_reflections(text) == count


def test_letters_that_are_words_themselves_do_not_lengthen_a_word() -> None:
    assert count_reflections("dh;waitdh+ef=ic") == 0
    assert count_reflections("dh;waitdh+ef=icwaitab", symbols="abcdefghij") == 2


def test_the_list_of_words_can_be_given() -> None:
    assert count_reflections("hmm, wait", ["hmm"]) == 1
    assert count_reflections("hmm, wait", []) == 0
