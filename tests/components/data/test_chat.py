import pytest

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.core.schema import Message
from r1flow.components.data.chat import opens_thought, render, template_names
from r1flow.components.data.tinyworld.model import build_tokenizer

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
