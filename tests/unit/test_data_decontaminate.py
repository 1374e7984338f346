from components.data.decontaminate import Match, decontaminate
from components.data.schema import Row
from components.data.sources import tiny_key, tiny_rows

LONG = "A train leaves the station at nine and travels north at forty miles an hour."


def row(row_id: str, prompt: str, completion: str | None = None) -> Row:
    return Row(id=row_id, prompt=prompt, answer="a", verifier="exact", source="s", completion=completion)


def test_clean_rows_pass() -> None:
    train = [row("t", "something else entirely"), row("u", "A train leaves the station at nine in the dark of night")]
    assert decontaminate(train, [row("e", LONG)]) == (train, [])


def test_the_same_normalised_prompt_matches() -> None:
    kept, matches = decontaminate([row("t", "what IS  1+1?")], [row("e", "What is 1+1?")])
    assert (kept, matches) == ([], [Match("t", "e", "identical", "what is 1+1?")])


def test_ten_shared_words_match_in_prompt_or_completion() -> None:
    shared = "train leaves the station at nine and travels north at"
    train = [row("t", f"Once the {shared} dawn"), row("u", "Tell me.", f"<think>{LONG}</think>"), row("v", shared[6:])]
    kept, matches = decontaminate(train, [row("e", LONG)])
    assert [r.id for r in kept] == ["v"]
    assert matches == [
        Match("t", "e", "ngram", shared),
        Match("u", "e", "ngram", "a train leaves the station at nine and travels north"),
    ]


def test_chinese_characters_are_words() -> None:
    text = "\u5c0f\u660e\u6709\u4e94\u4e2a\u82f9\u679c\u548c\u4e09\u4e2a\u68a8"
    _, matches = decontaminate([row("t", f"\u95ee\uff1a{text}\uff1f")], [row("e", text)])
    assert [match.rule for match in matches] == ["ngram"]


def test_a_sum_is_the_same_problem_in_any_order_of_its_terms() -> None:
    evaluation = tiny_rows("sum", 40, 0, ())
    turned = [
        r.model_copy(update={"id": f"t-{r.id}", "prompt": "+".join(r.prompt.split("+")[::-1])}) for r in evaluation
    ]
    fresh = tiny_rows("sum", 20, 5, {tiny_key(r) for r in evaluation})
    kept, matches = decontaminate([*turned, *fresh], evaluation, key=tiny_key)
    assert kept == fresh
    assert [(match.train_id, match.eval_id) for match in matches] == [(f"t-{r.id}", r.id) for r in evaluation]
    assert {match.rule for match in matches} <= {"key", "identical"}
