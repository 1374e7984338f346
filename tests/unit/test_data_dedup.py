from components.data.dedup import Duplicate, drop_duplicates, normalise
from components.data.schema import Row


def row(row_id: str, prompt: str, completion: str | None = None) -> Row:
    return Row(id=row_id, prompt=prompt, answer="a", verifier="exact", source="s", completion=completion)


def test_case_width_and_white_space_do_not_distinguish_texts() -> None:
    assert normalise(" \uff28ello\n\tStra\u00dfe \ufb01n ") == normalise("hello STRASSE fin")


def test_the_first_row_is_kept_and_the_others_name_it() -> None:
    rows = [row("a", "What is 1?"), row("b", "other"), row("c", "what  IS 1?"), row("d", "What is 1? ")]
    kept, dropped = drop_duplicates(rows)
    assert [r.id for r in kept] == ["a", "b"]
    assert dropped == [Duplicate("c", "a"), Duplicate("d", "a")]


def test_several_chains_for_one_prompt_are_not_duplicates() -> None:
    rows = [row("a", "p", "one"), row("b", "p", "two"), row("c", "p"), row("d", "p", "One")]
    kept, dropped = drop_duplicates(rows)
    assert [r.id for r in kept] == ["a", "b", "c"]
    assert dropped == [Duplicate("d", "a")]
