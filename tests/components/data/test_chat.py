import datetime

import pytest
from pydantic import ValidationError

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.core.schema import Message, Row
from r1flow.components.data.chat import apply_template, closes_thought, opens_thought, render, template_names
from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.recipe.models import PromptConfig
from r1flow.components.training.sft.encode import taught
from tests.fakes.tokenizers import CHATML, byte_level

R1_ZERO = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. "
    "The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. "
    "The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, "
    "i.e., <think> reasoning process here </think> <answer> answer here </answer>. User: What is 1+1?. Assistant:"
)


def test_the_r1_zero_template_is_the_papers_word_for_word() -> None:
    assert render("r1_zero", "What is 1+1?") == R1_ZERO


def test_the_tiny_template_puts_an_equals_sign_behind_the_problem() -> None:
    assert render("tiny", "37+45") == "37+45="


def test_prompts_are_text_and_never_templates() -> None:
    assert render("tiny", "{{ 7*7 }}{% raw %}<&>") == "{{ 7*7 }}{% raw %}<&>="


def test_the_models_own_chat_template_can_be_used() -> None:
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    )
    tokenizer = build_tokenizer(template)
    assert render("tokenizer", "37+45", tokenizer) == "[user]37+45>"
    assert not opens_thought("tokenizer", tokenizer)
    assert opens_thought("tokenizer", build_tokenizer(template + "<think>\n"))


def test_a_chat_template_needs_a_tokenizer() -> None:
    with pytest.raises(ConfigError, match="tokenizer"):
        render("tokenizer", "37+45")


def test_no_template_of_this_project_opens_the_thought() -> None:
    assert template_names() == ["r1_zero", "tiny", "tokenizer"]
    assert not opens_thought("r1_zero")
    assert not opens_thought("tiny")


@pytest.mark.parametrize("name", ["r1-zero", "../templates/tiny", ""])
def test_an_unknown_template_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match="r1_zero, tiny, tokenizer"):
        render(name, "x")


def test_a_conversation_is_for_the_models_own_template() -> None:
    turns = [Message(role="system", content="be brief"), Message(role="user", content="37+45")]
    tokenizer = build_tokenizer("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}")
    assert render("tokenizer", turns, tokenizer) == "[system]be brief[user]37+45"
    with pytest.raises(DataError, match=r"'r1_zero' takes one question(?s:.*)prompt\.template"):
        render("r1_zero", turns)


OPENED = "<|im_start|>assistant\n{% endif %}"
THINKING = CHATML.replace(
    OPENED,
    "<|im_start|>assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% elif enable_thinking is defined %}<think>\n{% endif %}{% endif %}",
)


def chat(**settings):
    return PromptConfig(template="tokenizer", **settings)


def test_variables_reach_the_chat_template_wherever_it_is_rendered():
    tokenizer = byte_level(THINKING)
    shown = [
        render(chat(variables=told), "1+1", tokenizer).rpartition("assistant\n")[2]
        for told in ({}, {"enable_thinking": True}, {"enable_thinking": False})
    ]
    assert shown == ["", "<think>\n", "<think>\n\n</think>\n\n"]


def test_a_thought_that_the_template_opens_or_closes_is_recognised():
    tokenizer = byte_level(THINKING)
    found = {
        name: (opens_thought(asked, tokenizer), closes_thought(asked, tokenizer))
        for name, asked in {
            "left": chat(),
            "opened": chat(variables={"enable_thinking": True}),
            "closed": chat(variables={"enable_thinking": False}),
            "r1_zero": "r1_zero",
        }.items()
    }
    assert found == {
        "left": (False, False),
        "opened": (True, False),
        "closed": (False, True),
        "r1_zero": (False, False),
    }


def test_sft_is_told_the_variables_too():
    loud = byte_level("{{ mood }}" + CHATML)
    row = Row(id="a", prompt="1+1", answer="2", verifier="exact", source="s", completion="2")
    talked = row.model_copy(update={"messages": (Message(role="user", content="1+1"),)})
    for one in (row, talked):
        example = taught(loud, chat(variables={"mood": "!!"}), one)
        assert loud.decode(example.ids).startswith("!!<|im_start|>user\n1+1")


def test_today_is_a_setting_and_no_clock():
    dated = byte_level("{{ strftime_now('%d %b %Y') }}{% for m in messages %} {{ m.content }}{% endfor %}")
    assert render("tokenizer", "hi", dated) == "01 Jan 2026 hi"
    assert render(chat(date=datetime.date(1999, 12, 31)), "hi", dated) == "31 Dec 1999 hi"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('System role not supported') }}", "TemplateError: System role not supported"),
        ("{{ messages[0].content.nothing() }}", "UndefinedError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ messages + 1 }}", "TypeError"),
        (None, "ValueError"),
    ],
)
def test_what_a_chat_template_refuses_is_an_error_in_data_with_a_fix(template, reason):
    tokenizer = byte_level(template)
    with pytest.raises(DataError, match=r"refuses a conversation of user: " + reason + r".*prompt\.variables"):
        render("tokenizer", "1+1", tokenizer)
    row = Row(id="r-1", prompt="1+1", answer="2", verifier="exact", source="s", completion="2")
    with pytest.raises(DataError, match=r"^row r-1: .*refuses"):
        taught(tokenizer, "tokenizer", row)


def test_a_template_is_told_the_turns_that_it_refuses():
    strict = byte_level("{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}")
    turns = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
    with pytest.raises(DataError, match="conversation of system, user: TemplateError: no system"):
        apply_template(strict, chat(), turns, opened=True)


@pytest.mark.parametrize("name", ["tools", "strftime_now", "chat_template", "tokenize", "bos_token"])
def test_a_variable_that_applying_a_template_takes_itself_is_refused(name):
    with pytest.raises(ValidationError, match=f"variables: {name}: what applying a template takes itself"):
        chat(variables={name: 1})


def test_a_template_of_this_project_takes_no_variables():
    with pytest.raises(ValidationError, match="template 'r1_zero' takes none"):
        PromptConfig(variables={"enable_thinking": True})


def test_settings_that_came_later_stand_in_no_dump_at_their_defaults():
    assert PromptConfig().model_dump(mode="json") == {"template": "r1_zero", "format": "think_answer"}
    told = chat(variables={"a": 1}, date=datetime.date(2020, 1, 2), end_tokens=("</s>",))
    dumped = told.model_dump(mode="json")
    assert (dumped["variables"], dumped["date"], dumped["end_tokens"]) == ({"a": 1}, "2020-01-02", ["</s>"])
    assert PromptConfig.model_validate(dumped) == told
