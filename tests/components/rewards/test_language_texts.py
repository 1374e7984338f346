"""Language consistency on real texts: the Universal Declaration of Human Rights, and solutions in mathematics."""

import json
import re
import statistics
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from r1flow.components.core.languages import SCRIPT_OF, language_code
from r1flow.components.rewards.language import NaturalLanguage, consistency
from tests.runs import ROOT

DATA = ROOT.parent / "shared" / "data"
UNSPACED = ("zh", "ja", "th")
pytestmark = pytest.mark.skipif(not (DATA / "udhr").is_dir(), reason="the shared data is not beside this checkout")


def rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def paragraphs() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows("udhr/udhr.jsonl"):
        found.setdefault(row["bcp47"], []).append(row["text"])
    return found


def share(text: str, code: str) -> float:
    found = consistency(text, NaturalLanguage(code))
    assert found is not None
    return found


def long_ones(paragraphs: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    for tag, texts in paragraphs.items():
        for text in texts:
            if len(text) >= 40 if tag.split("-")[0] in UNSPACED else len(text.split()) >= 20:
                yield tag, text


def test_every_paragraph_is_of_its_own_language(paragraphs: dict[str, list[str]]) -> None:
    scored = [(share(text, tag), tag, text[:60]) for tag, text in long_ones(paragraphs)]
    assert len(scored) == 947
    assert len({tag for _, tag, _ in scored}) == 27
    assert [entry for entry in scored if entry[0] < 0.95] == []


def test_no_paragraph_is_of_a_language_of_another_script(paragraphs: dict[str, list[str]]) -> None:
    """Chinese and Japanese count as scripts of their own here."""
    one_of_each = ("en", "ru", "ar", "el", "he", "hi", "bn", "ko", "th", "zh", "ja")
    wrong = []
    for tag, text in long_ones(paragraphs):
        own = language_code(tag)
        for other in one_of_each:
            if SCRIPT_OF[other] != SCRIPT_OF[own] or {other, own} == {"zh", "ja"}:
                wrong += [(tag, other, text[:60])] if share(text, other) > 0.2 else []
    assert wrong == []


def test_paragraphs_are_not_of_a_neighbour_in_the_same_script(paragraphs: dict[str, list[str]]) -> None:
    neighbours = {
        "es": "pt",
        "pt": "es",
        "it": "es",
        "fr": "it",
        "nl": "de",
        "sv": "no",
        "cs": "pl",
        "ru": "uk",
        "uk": "bg",
    }
    neighbours |= {"fa": "ar", "ar": "fa", "en": "nl", "de": "nl"}
    wrong = [
        (tag, text[:60])
        for tag, text in long_ones(paragraphs)
        if (other := neighbours.get(language_code(tag))) and share(text, other) > 0.2
    ]
    assert wrong == []


def sentences(texts: list[str]) -> list[str]:
    return [part for text in texts for part in re.findall(r"[^.;]{20,}[.;]", text)]


@pytest.mark.parametrize("other", ["de-1996", "fr", "es"])
@pytest.mark.parametrize("count", [3, 10])
def test_alternating_sentences_are_half_and_half(paragraphs: dict[str, list[str]], other: str, count: int) -> None:
    ours, theirs = sentences(paragraphs["en"]), sentences(paragraphs[other])
    for start in range(0, min(len(ours), len(theirs)) - count, count):
        # sentences of about the same length, so that half and half is what they are
        pairs = zip(
            sorted(ours[start : start + count], key=len), sorted(theirs[start : start + count], key=len), strict=True
        )
        text = " ".join(chain.from_iterable(pairs))
        words = sum(len(sentence.split()) for sentence in ours[start : start + count])
        truth = words / len(text.split())
        for code, wanted in (("en", truth), (other, 1 - truth)):
            assert abs(share(text, code) - wanted) < 0.1, text
            if 0.4 < truth < 0.6:
                assert abs(share(text, code) - 0.5) < 0.2, text


@pytest.mark.parametrize("chinese", ["zh", "zh-Hant"])
def test_half_chinese_half_english_scores_one_half(paragraphs: dict[str, list[str]], chinese: str) -> None:
    """By translation, by as many words as characters, and by twenty words for forty characters."""
    english = " ".join(paragraphs["en"])
    whole = "".join(paragraphs[chinese])
    half = share(english + "\n" + whole, "en")
    assert half == pytest.approx(0.5, abs=0.02)
    words = re.findall(r"[A-Za-z]{2,}", english)
    characters = re.findall(r"[\u4e00-\u9fff]", whole)
    for each in (1, 2):
        mixed = " ".join(
            " ".join(words[start : start + 20]) + " " + "".join(characters[each * start : each * (start + 20)])
            for start in range(0, 600, 20)
        )
        for code in ("en", chinese):
            assert share(mixed, code) == pytest.approx(0.5, abs=0.1)


def test_chinese_and_japanese_sentences_in_turn_come_out(paragraphs: dict[str, list[str]]) -> None:
    chinese, japanese = ("".join(paragraphs[code]).split("\u3002") for code in ("zh", "ja"))
    text = "\u3002".join(chain.from_iterable(zip(chinese[:40], japanese[:40], strict=True)))
    characters = [len(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", "".join(part[:40]))) for part in (chinese, japanese)]
    truth = (characters[0] / 1.4) / (characters[0] / 1.4 + characters[1] / 2.2)
    assert share(text, "zh") == pytest.approx(truth, abs=0.05)


def english_solutions() -> dict[str, list[str]]:
    models = rows("gsm8k_model_solutions/example_model_solutions.rows0000-0659.jsonl")
    return {
        "qwen": [
            text for row in rows("model_outputs/qwen_math_cot_100.minus_heldout.jsonl") for text in row["response"]
        ],
        "gsm8k": [row["answer"] for row in rows("gsm8k/train.jsonl")[::7]],
        "math": [row["solution"] for row in rows("math/test.minus_heldout.jsonl")[::7]],
        "gpt3": [row["6b_finetuning"]["solution"] for row in models],
    }


def test_english_mathematics_is_english() -> None:
    for name, texts in english_solutions().items():
        shares = [found for text in texts if (found := consistency(text, NaturalLanguage("en"))) is not None]
        assert statistics.fmean(shares) > 0.998, name
        # what is left: three word salads of many scripts, and lines that hold little but names
        assert sum(found < 0.95 for found in shares) <= 0.005 * len(shares), name
        chinese = [consistency(text, NaturalLanguage("zh")) or 0.0 for text in texts]
        assert statistics.fmean(chinese) < 0.002, name


def test_chinese_mathematics_is_chinese_but_for_its_foreign_names() -> None:
    texts = [m["content"] for row in rows("mgsm_zh/mgsm_zh.jsonl") for m in row["messages"] if m["role"] == "user"]
    shares = [share(text, "zh") for text in texts]
    assert statistics.fmean(shares) > 0.99
    assert min(shares) > 0.8  # "iPhone" four times in two sentences
