"""Masks cover what the model is to write, for every template, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.core.errors import DataError
from r1flow.components.data.chat import TEMPLATES, render, template_names
from r1flow.components.data.ends import find_ends
from r1flow.components.data.literal import encode
from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.training.sft.encode import encode_conversation, encode_pair, taught
from tests.fakes.tokenizers import CHATML, blank_first, byte_level

BPE, TINY = (
    byte_level(),
    build_tokenizer((TEMPLATES / "tiny.jinja").read_text().replace("prompt", "messages[-1]['content']")),
)
ROUGH = "caf\u00e9 \u4f60\u597d\n\n don't {{ 7*7 }} <|im_start|>  ends in blanks  "
PAIRS = {
    "bpe": (BPE, [("What is 37+45?", "<think>37+45=82</think><answer>82</answer>"), (ROUGH, ROUGH), ("x", "=")]),
    "tiny": (TINY, [("37+45", "<think>30+52=82</think>82"), ("rev:abc", "<think>wait</think>cba"), ("1+1", "2")]),
}
CASES = [(name, kind, pair) for name in template_names() for kind, (_, pairs) in PAIRS.items() for pair in pairs]


def ends_of(tokenizer):
    return find_ends(tokenizer, None, "r1_zero")


def says(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def trained(example):
    return [token for token, chosen in zip(example.ids, example.trained, strict=True) if chosen]


@pytest.mark.parametrize(("template", "kind", "pair"), CASES)
def test_of_every_template_exactly_the_completion_and_its_end_are_trained_on(template, kind, pair):
    tokenizer, (prompt, completion) = PAIRS[kind][0], pair
    shown = render(template, prompt, tokenizer)
    example = encode_pair(tokenizer, shown, completion, ends_of(tokenizer), row="r")
    assert says(tokenizer, trained(example)) == completion + tokenizer.eos_token
    assert trained(example)[-1] == tokenizer.eos_token_id
    context = example.ids[: example.num_context]
    assert example.ids == (*context, *trained(example))
    assert context == tuple(tokenizer(shown, add_special_tokens=False)["input_ids"])  # what a sampler is given
    if kind == "bpe":
        assert says(tokenizer, example.ids) == shown + completion + tokenizer.eos_token


def test_a_token_that_would_reach_over_the_boundary_is_cut_as_sampling_cuts_it():
    prompt, completion = render("tiny", "1+1"), "<think>2"
    assert encode(BPE, "=<think>") != encode(BPE, "=") + encode(BPE, "<think>")
    assert encode(BPE, prompt + completion) != encode(BPE, prompt) + encode(BPE, completion)
    example = encode_pair(BPE, prompt, completion, ends_of(BPE), row="r")
    assert example.ids[: example.num_context] == encode(BPE, prompt)
    assert says(BPE, trained(example)) == "<think>2<|im_end|>"


def test_a_tokenizer_that_puts_a_blank_between_the_pieces_is_refused_by_name():
    with pytest.raises(
        DataError,
        match=r"row lake-7: behind its prompt the tokenizer reads the completion otherwise.*'Assistant: the end'",
    ):
        encode_pair(blank_first(), "Assistant:", "the end", ends_of(blank_first()), row="lake-7")


def test_a_completion_that_the_tokenizer_cannot_write_is_refused_with_the_place():
    with pytest.raises(
        DataError, match=r"row r: this tokenizer cannot write the completion: it makes '1\+<unk>' of '1\+\u4f60'"
    ):
        encode_pair(TINY, "1+1=", "1+\u4f60", ends_of(TINY), row="r")


def test_without_a_prompt_nothing_would_predict_the_first_token():
    with pytest.raises(DataError, match="row r: its prompt has no token"):
        encode_pair(BPE, "", "2", ends_of(BPE), row="r")


def test_a_completion_with_an_end_inside_is_refused():
    with pytest.raises(DataError, match="contains the end token '<eos>'"):
        encode_pair(TINY, "1+1=", "2<eos>3", ends_of(TINY), row="r")


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_any_text_comes_back_from_its_mask(prompt, completion):
    example = encode_pair(BPE, prompt, completion, ends_of(BPE), row="r") if "<|im_end|>" not in completion else None
    if example is not None:
        assert says(BPE, trained(example)) == completion + "<|im_end|>"


def test_a_row_without_a_completion_is_an_error():
    from r1flow.components.core.schema import Row

    row = Row(id="a-1", prompt="1+1", answer="2", verifier="exact", source="s")
    with pytest.raises(DataError, match="row a-1 has no completion"):
        taught(TINY, "tiny", row)
    example = taught(TINY, "tiny", row.model_copy(update={"completion": "2"}))
    assert says(TINY, trained(example)) == "2<eos>"


TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 37+45?"},
    {"role": "assistant", "content": "82"},
    {"role": "user", "content": "And 12*12?\n"},
    {"role": "assistant", "content": "<think>12*12</think>144 "},
    {"role": "user", "content": "Thanks"},
]


def test_of_a_conversation_the_assistants_turns_are_trained_on_each_with_its_end():
    example = encode_conversation(BPE, "tokenizer", TALK, ends_of(BPE), row="r")
    assert says(BPE, trained(example)) == "82<|im_end|><think>12*12</think>144 <|im_end|>"
    whole = BPE.apply_chat_template(TALK, tokenize=False)
    assert whole.startswith(says(BPE, example.ids))  # the last question, unanswered, is left out
    for turn in (2, 4):
        shown = BPE.apply_chat_template(TALK[:turn], tokenize=False, add_generation_prompt=True)
        prompt = encode(BPE, shown)
        assert example.ids[: len(prompt)] == prompt  # what a sampler would be given
        assert example.trained[len(prompt)]
        assert not example.trained[len(prompt) - 1]


def test_one_question_and_its_answer_is_the_pair():
    for template in ("r1_zero", "tiny"):
        talk = encode_conversation(BPE, template, TALK[1:3], ends_of(BPE), row="r")
        assert talk == encode_pair(BPE, render(template, "What is 37+45?"), "82", ends_of(BPE), row="r")
        with pytest.raises(DataError, match="holds one question and its answer"):
            encode_conversation(BPE, template, TALK, ends_of(BPE), row="r")


def test_a_template_that_takes_thoughts_out_of_earlier_turns_is_refused():
    forgetful = byte_level(
        CHATML.replace("m.content", "(m.content.split('</think>')[-1] if not loop.last else m.content)")
    )
    assert encode_conversation(forgetful, "tokenizer", TALK[:5], ends_of(forgetful), row="r")
    with pytest.raises(DataError, match=r"row r: .*before turn 7 otherwise.*make a row of each turn"):
        encode_conversation(
            forgetful, "tokenizer", [*TALK, {"role": "assistant", "content": "Bye"}], ends_of(forgetful), row="r"
        )


@pytest.mark.parametrize(
    ("tokenizer", "talk", "message"),
    [
        (BPE, TALK[:2], "needs a turn of the assistant"),
        (BPE, TALK[2:], "needs a turn of the assistant"),
        (byte_level(eos="<|endoftext|>"), TALK, "does not close the assistant's turn by an end token"),
        (byte_level(CHATML + "{% if not add_generation_prompt %}!{% endif %}"), TALK[1:3], None),
    ],
)
def test_conversations_that_cannot_be_taught_say_why(tokenizer, talk, message):
    if message is None:
        assert (
            says(tokenizer, trained(encode_conversation(tokenizer, "tokenizer", talk, ends_of(tokenizer), row="r")))
            == "82<|im_end|>"
        )
        return
    with pytest.raises(DataError, match="row r: .*" + message.replace("|", r"\|")):
        encode_conversation(tokenizer, "tokenizer", talk, ends_of(tokenizer), row="r")
