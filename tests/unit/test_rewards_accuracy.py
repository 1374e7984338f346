import json
import threading
from fractions import Fraction
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.data.schema import Row
from components.rewards.accuracy import accuracy, score_answer, verify_answer
from components.rewards.base import Score, Verdict

CORRECT, WRONG, UNPARSEABLE = Verdict.CORRECT, Verdict.WRONG, Verdict.UNPARSEABLE
CASES = Path(__file__).parents[2].parent / "shared" / "data" / "verifier_cases" / "answer_cases.jsonl"


def row(answer: str, verifier: Literal["exact", "math"] = "math") -> Row:
    return Row(id="r", prompt="p", answer=answer, verifier=verifier, source="test")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "18"),
        ("18", "18."),
        ("18", "$18$"),
        ("18", "\\$18"),
        ("-3", "\u22123"),
        ("1234567", "1,234,567"),
        ("10{,}000", "10000"),
        ("11111111100", "11,\\! 111,\\! 111,\\! 100"),
        ("7", "7.00"),
        ("27.0", "27"),
        ("0.5", "\\frac{1}{2}"),
        ("1/2", ".5"),
        ("\\frac12", "\\dfrac{2}{4}"),
        ("-\\frac{1}{3}", "\\frac{-1}{3}"),
        ("40/9", "4 4/9"),
        ("1/3", "0.333333"),
        ("5", "#### 5"),
        ("#### 1,234", "so it is\n#### 1234"),
        ("42", "<answer>42</answer>"),
        ("42", "first \\boxed{42}, so \\boxed{ 42 }"),
        ("0.5", "\\boxed{0.5} that is \\boxed{\\frac12}"),
        ("4", "The answer is 4"),
        ("\\sqrt{12}", "\\boxed{2\\sqrt{3}}"),
        ("x^2+2x+1", "\\boxed{(x+1)^2}"),
        ("10", "\\boxed{10\\text{ cm}}"),
        ("(1,\\frac{9}{2})", "\\boxed{(1, 4.5)}"),
        ("\\{1,2,3\\}", "\\boxed{\\{3,2,1\\}}"),
        ("[0,1)", "\\boxed{\\left[0,1\\right)}"),
        ("x=5", "\\boxed{5}"),
        ("\\text{Evelyn}", "\\boxed{Evelyn}"),
        ("28\\%", "\\boxed{28\\%}"),
        ("7.8\\times 10^2", "780"),
        ("\\frac{\\pi}{2}", "\\boxed{\\pi/2}"),
        ("\\begin{pmatrix}1 & 2\\end{pmatrix}", "\\boxed{\\begin{bmatrix}1 & 2\\end{bmatrix}}"),
        ("1.5\\times 10^{-7}", "\\boxed{0.00000015}"),
        ("12:00", "\\boxed{12:00}"),
    ],
)
def test_equivalent_answers_are_correct(gold: str, answer: str) -> None:
    assert verify_answer(answer, row(gold)) == Score(1.0, CORRECT)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "19"),
        ("18", "1 8"),
        ("1/3", "0.33"),
        ("0.0000001", "0.0000002"),
        ("1.5\\times 10^{-7}", "\\boxed{2.5\\times 10^{-7}}"),
        ("1000000", "1000001.0"),
        ("5", "\\boxed{5}, no, \\boxed{6}"),
        ("6", "\\boxed{5}, no, \\boxed{6}"),
        ("6", "<answer>5</answer><answer>6</answer>"),
        ("5", "#### 4\n#### 5"),
        ("5", "\\boxed{5} \\boxed{\\text{?}}"),
        ("5", "\\boxed{9^{9^{9^{9}}}} \\boxed{5}"),
        ("5", "\\boxed{4, 5}"),
        ("5", "\\boxed{4 \\text{ or } 5}"),
        ("5", "it is 4 or 5"),
        ("x^2+1", "\\boxed{x^2+2}"),
        ("x^2+1", "\\boxed{y^2+1}"),
        ("[0,1)", "\\boxed{[0,1]}"),
        ("\\pm 3", "\\boxed{3}"),
        ("\\begin{pmatrix}1 & 2\\end{pmatrix}", "\\boxed{\\begin{pmatrix}1 & 3\\end{pmatrix}}"),
        ("B", "\\boxed{A}"),
        ("5", "   "),
        ("42", "<answer>43</answer> I mean 42"),
    ],
)
def test_near_misses_and_hedges_are_wrong(gold: str, answer: str) -> None:
    assert verify_answer(answer, row(gold)) == Score(0.0, WRONG)


@pytest.mark.parametrize(
    "answer",
    [
        "\\boxed{}",
        "I do not know",
        "\\boxed{5",
        "the answer is 4, 5",
        "\\boxed{" + "(" * 3000 + "5" + ")" * 3000 + "}",
        "\\boxed{" + "{" * 16 + "5" + "}" * 16 + "}",
        "\\boxed{9^{9^{9^{9}}}}",
        "\\boxed{5} \\boxed{9^{9^{9^{9}}}}",
        "9**9**9**9",
        "\\boxed{9^{999999}}",
        "\\boxed{((10!)!)!}",
        "\\boxed{(10!+1)!}",
        "\\boxed{\\binom{1000000}{500000}}",
        "\\boxed{" + "1" * 501 + "}",
        "\\boxed{" + "x+" * 3000 + "x}",
        "\\boxed{\\int_0^{5} 1 dx}",
        "{",
        "\x00\ud800",
    ],
)
def test_answers_that_cannot_or_must_not_be_evaluated_are_unparseable(answer: str) -> None:
    assert verify_answer(answer, row("5")) == Score(0.0, UNPARSEABLE)


def test_large_but_ordinary_exponents_pass_the_guard() -> None:
    assert verify_answer("\\boxed{2^{2024}}", row("2^{2024}")).verdict is CORRECT
    assert verify_answer("\\boxed{e^{x^{2}}}", row("e^{x^2}")).verdict is CORRECT
    assert verify_answer("\\boxed{10!}", row("3628800")).verdict is CORRECT


@pytest.mark.parametrize("gold", ["", "   ", "\\boxed{", "9^{9^{9^{9}}}", "x" * 5000])
def test_a_row_whose_own_answer_cannot_be_used_is_not_scored(gold: str) -> None:
    assert verify_answer("\\boxed{5}", row(gold)) == Score(None, None)


@pytest.mark.parametrize(
    ("completion", "verdict"),
    [
        ("<think>37+45=82;82+68=50</think>50", CORRECT),
        ("<think>37+45=82</think> 50\n", CORRECT),
        ("37+45=82</think>50", CORRECT),
        ("<think>a</think>49<think>b</think>50", CORRECT),
        ("<think>50</think>49", WRONG),
        ("<think>50</think>", WRONG),
        ("<think></think>050", WRONG),
        ("<think>50", UNPARSEABLE),
        ("50", UNPARSEABLE),
        ("<think>a</think>50<think>", UNPARSEABLE),
    ],
)
def test_only_what_follows_the_last_closed_thought_is_compared_exactly(completion: str, verdict: Verdict) -> None:
    assert score_answer(completion, row("50", "exact")) == Score.of(verdict)


def test_a_boxed_answer_inside_the_thought_earns_nothing() -> None:
    assert score_answer("<think>\\boxed{5}</think> I am done", row("5")).reward == 0.0
    assert score_answer("<think>\\boxed{5}</think>", row("5")) == Score(0.0, WRONG)
    assert score_answer("<think>\\boxed{4}</think>\\boxed{5}", row("5")) == Score(1.0, CORRECT)


def test_infra_is_masked_and_every_other_verdict_is_a_number() -> None:
    assert {verdict: Score.of(verdict).reward for verdict in Verdict} == {
        CORRECT: 1.0,
        WRONG: 0.0,
        UNPARSEABLE: 0.0,
        Verdict.TIMEOUT: 0.0,
        Verdict.MEMORY: 0.0,
        Verdict.INFRA: None,
    }


def test_rewards_come_in_batches_with_none_for_an_unusable_row() -> None:
    rows = [row("50", "exact"), row("5"), row("")]
    assert accuracy(["<think>a</think>50", "<think>a</think>6", "<think>a</think>6"], rows) == [1.0, 0.0, None]


def test_verdicts_are_the_same_in_a_thread() -> None:
    found: list[Score] = []
    thread = threading.Thread(target=lambda: found.append(verify_answer("\\boxed{2\\sqrt{3}}", row("\\sqrt{12}"))))
    thread.start()
    thread.join(timeout=60)
    assert found == [Score(1.0, CORRECT)]


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="0123456789.,/+-^{}()[]$\\xi= abor", max_size=24))
def test_no_answer_makes_the_verifier_raise(text: str) -> None:
    for answer in (text, f"\\boxed{{{text}}}", f"<answer>{text}</answer>"):
        assert verify_answer(answer, row("x^2+1")).reward in (0.0, 1.0)


@settings(deadline=None, max_examples=100)
@given(st.fractions(), st.fractions())
def test_fractions_are_equal_exactly_when_they_are(a: Fraction, b: Fraction) -> None:
    answer = f"\\boxed{{\\frac{{{b.numerator}}}{{{b.denominator}}}}}"
    assert verify_answer(answer, row(f"{a.numerator}/{a.denominator}")).reward == float(a == b)


@pytest.mark.skipif(not CASES.is_file(), reason="the collected verifier cases are not beside this checkout")
def test_the_verifier_agrees_with_collected_core_cases() -> None:
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    cases = [case for case in cases if case["tier"] == "core" and case["kind"] == "math"]
    agreed = 0
    for case in cases:
        judge = score_answer if "think>" in case["prediction"] else verify_answer
        agreed += judge(case["prediction"], row(case["gold"])).reward == float(case["expected"])
    assert agreed / len(cases) >= 0.985
