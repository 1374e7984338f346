from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.verdict import Verdict
from r1flow.components.rewards.base import Score
from r1flow.components.rewards.mathematics import judge, quick, symbolic, usable

CORRECT, WRONG, UNPARSEABLE = Verdict.CORRECT, Verdict.WRONG, Verdict.UNPARSEABLE


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "\\$18"),
        ("-3", "\u22123"),
        ("10{,}000", "10000"),
        ("11111111100", "11,\\! 111,\\! 111,\\! 100"),
        ("1/2", ".5"),
        ("40/9", "4 4/9"),
        ("1/3", "0.333333"),
        ("3.14159", "\\boxed{\\pi}"),
        ("0.75", "\\boxed{75\\%}"),
        ("75", "\\boxed{75\\%}"),
        ("#### 1,234", "so it is\n#### 1234"),
        ("0.5", "\\boxed{0.5} that is \\boxed{\\frac12}"),
        ("\\sqrt{12}", "\\boxed{2\\sqrt{3}}"),
        ("x^2+2x+1", "\\boxed{(x+1)^2}"),
        ("10\\text{ cm}", "\\boxed{10}"),
        ("90^\\circ", "\\boxed{90\\text{ degrees}}"),
        ("(1,\\frac{9}{2})", "\\boxed{(1, 4.5)}"),
        ("\\{1,2,3\\}", "\\boxed{\\{3,2,1\\}}"),
        ("\\{1,2,3\\}", "\\boxed{1}, \\boxed{2} and \\boxed{3}"),
        ("3 \\pm 2\\sqrt{2}", "\\boxed{3-2\\sqrt{2}, 3+2\\sqrt{2}}"),
        ("-2 \\le x \\le 7", "\\boxed{[-2,7]}"),
        ("(1,2)\\cup(3,4)", "\\boxed{3<x<4 \\text{ or } 1<x<2}"),
        ("x=5", "\\boxed{5}"),
        ("7.78", "\\boxed{\\frac{70}{9} \\approx 7.78}"),
        ("65", "\\boxed{m+n=65}"),
        ("y=2x+1", "\\boxed{y-2x=1}"),
        ("\\text{Evelyn}", "The answer is Evelyn."),
        ("7.8\\times 10^2", "780"),
        ("\\begin{pmatrix}1 & 2\\end{pmatrix}", "\\boxed{\\begin{bmatrix}1 & 2\\end{bmatrix}}"),
        ("i(2-i)", "\\boxed{1+2i}"),
        ("20:34", "8:34 PM"),
        ("2^{2024}", "\\boxed{2^{2024}}"),
        ("5", "<answer>The number of apples is 5.</answer>"),
    ],
)
def test_equivalent_answers_are_correct(gold: str, answer: str) -> None:
    assert judge(gold, answer).verdict is CORRECT


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("18", "1 8"),
        ("1/3", "0.33"),
        ("0.33", "\\boxed{1/3}"),
        ("0.0000001", "0.0000002"),
        ("1000000", "1000001.0"),
        ("999999999999999", "\\boxed{999999999999998}"),
        ("10", "\\boxed{10^3}"),
        ("10", "\\boxed{0.1}"),
        ("10", "\\boxed{10 \\text{ million}}"),
        ("10 \\text{ cm}", "\\boxed{10 \\text{ m}}"),
        ("5", "\\boxed{5\\theta}"),
        ("5", "\\boxed{5x}"),
        ("5", "\\boxed{5!}"),
        ("5", "\\boxed{5\\ldots}"),
        ("5", "\\boxed{x > 5}"),
        ("3+2t", "\\boxed{3+2}"),
        ("f'(x)", "\\boxed{f(x)}"),
        ("A_1", "\\boxed{a_1}"),
        ("4210_7", "\\boxed{4210_8}"),
        ("\\sqrt{x^2}", "\\boxed{x}"),
        ("mn-\\lfloor m/2\\rfloor", "\\boxed{mn-\\lfloor m/5\\rfloor}"),
        ("x^2+1", "\\boxed{y^2+1}"),
        ("x=1", "\\boxed{y=1}"),
        ("0", "\\boxed{x^2+1=0}"),
        ("(1,2)", "\\boxed{(2,1)}"),
        ("[0,1)", "\\boxed{[0,1]}"),
        ("(1,\\infty)", "\\boxed{(1,\\infty]}"),
        ("\\pm 3", "\\boxed{3}"),
        ("3", "\\boxed{\\pm 3}"),
        ("x=2,y=3", "\\boxed{3, 2}"),
        ("\\begin{pmatrix}1 & 2\\end{pmatrix}", "\\boxed{\\begin{pmatrix}1 & 3\\end{pmatrix}}"),
        ("\\cos(x)=\\frac{42}{59}", "\\sin(x)=\\frac{42}{59}"),
        ("12:00", "1:00"),
        ("6", "\\boxed{2x=6}"),
        ("5", "\\boxed{-x=5}"),
        ("2^{2008}-2", "\\boxed{2^{2008}-4}"),
        ("5.5", "\\boxed{4 \\approx 5.5}"),
        ("4", "\\boxed{4 \\approx 5.5}"),
        ("x^2+1=0", "\\boxed{x^2+2=0}"),
        ("0.56 = 56\\%", "\\boxed{0.56 = 76\\%}"),
        ("10^{10^{10^{10}}}", "10^{10}"),
        ("5", "\\boxed{5}, no, \\boxed{6}"),
        ("6", "<answer>5</answer><answer>6</answer>"),
        ("5", "\\boxed{5} \\boxed{\\text{?}}"),
        ("5", "\\boxed{9^{9^{9^{9}}}} \\boxed{5}"),
        ("5", "\\boxed{4 \\text{ or } 5}"),
        ("5", "it is 4 or 5"),
        ("5", "1 2 3 4 5"),
        ("5", "Answer: 4\nAnswer: 5"),
        ("5", "the answer is 4, 5"),
        ("Evelyn", "\\boxed{Evelyn, Carla}"),
        ("42", "<answer>43</answer> I mean 42"),
        ("5", "   "),
    ],
)
def test_near_misses_and_hedges_are_wrong(gold: str, answer: str) -> None:
    assert judge(gold, answer).verdict is WRONG


@pytest.mark.parametrize(
    "answer",
    [
        "\\boxed{}",
        "\\boxed{5",
        "{",
        "?",
        "I do not know",
        "qwoie zxmcn asdf",
        "What is 2 + 3, if 2 is 5?",
        "The answer is not 5",
        "5 is wrong",
        "at least 5",
        "\x00\ud800",
        "\\boxed{" + "(" * 3000 + "5" + ")" * 3000 + "}",
        "\\boxed{" + "{" * 16 + "5" + "}" * 16 + "}",
        "\\boxed{9^{9^{9^{9}}}}",
        "9**9**9**9",
        "\\boxed{((10!)!)!}",
        "\\boxed{\\binom{1000000}{500000}}",
        "\\boxed{" + "1" * 501 + "}",
        "\\boxed{" + "x+" * 3000 + "x}",
        "\\boxed{\\int_0^{5} 1 dx}",
    ],
)
def test_what_is_no_answer_or_must_not_be_evaluated_is_unparseable(answer: str) -> None:
    assert judge("5", answer).verdict is UNPARSEABLE


@pytest.mark.parametrize(
    "gold",
    [
        *(
            "",
            "   ",
            "\\boxed{",
            "?",
            "x" * 5000,
            "\\frac{",
            "\\frac{1}{",
            "\\frac{1}",
            "x=",
            "5+",
            "(1,2",
            "\\sqrt",
            "2^",
        ),
        *("\\text{abc", "\\begin{pmatrix}1", "\\frac{}{2}", "{" * 10_000_000),
    ],
    ids=lambda gold: gold[:20],
)
def test_a_gold_without_an_answer_is_unusable_whatever_the_answer(gold: str) -> None:
    assert not usable(gold)
    assert {judge(gold, text).reward for text in ("\\boxed{5}", "", gold)} == {None}
    assert quick(gold, "5") == judge(gold, "5")


@pytest.mark.parametrize("gold", ["\\foo{3}", "a \\boxtimes b", "|x", "\\sin"])
def test_a_gold_that_algebra_cannot_read_makes_nothing_wrong(gold: str) -> None:
    assert judge(gold, "\\boxed{x+3}").reward is None
    assert judge(gold, f"\\boxed{{{gold}}}").verdict is CORRECT


@pytest.mark.parametrize("unit", ["{", "\\boxed{", "\\boxed{1}", "<answer>", "5 "])
def test_ten_megabytes_are_refused_unread(unit: str) -> None:
    text = unit * (10_000_000 // len(unit))
    assert quick("5", text) == judge("5", text)
    assert judge("5", text).verdict is UNPARSEABLE


def test_running_out_of_memory_is_for_the_process_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    library, _ = symbolic._libraries()
    monkeypatch.setattr(library, "latex2sympy", exhausted)
    with pytest.raises(MemoryError):
        judge("\\sin 17", "\\boxed{\\cos 18}")


def test_the_answer_that_was_judged_is_reported() -> None:
    assert judge("5", "so \\boxed{ 6 }").extracted == "6"
    assert judge("6", "\\boxed{5} or \\boxed{6}").detail == "several different answers"


SNIPPETS = [
    "5",
    "4",
    "\\frac{1}{2}",
    "x",
    "=",
    ",",
    " or ",
    "(",
    ")",
    "[",
    "{",
    "}",
    "\\boxed{",
    "<answer>",
    "</answer>",
]
SNIPPETS += [
    "$",
    "%",
    ".",
    " and ",
    "\\text{ cm}",
    "^",
    "-",
    "+",
    "The answer is ",
    "\n",
    "#### ",
    "\\cup",
    "\\le ",
    "i",
]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(SNIPPETS), max_size=9).map("".join), st.sampled_from(["5", "x+1", "(1,2)", "Evelyn"]))
def test_no_answer_makes_the_verifier_raise_and_quick_agrees_with_the_full_verdict(text: str, gold: str) -> None:
    full = judge(gold, text)
    assert full.reward in (0.0, 1.0)
    assert quick(gold, text) in (None, full)


@settings(deadline=None, max_examples=150)
@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_fractions_are_equal_exactly_when_they_are(a: Fraction, b: Fraction) -> None:
    gold, answer = f"{a.numerator}/{a.denominator}", f"\\boxed{{\\frac{{{b.numerator}}}{{{b.denominator}}}}}"
    assert quick(gold, answer) == Score.of(CORRECT if a == b else WRONG, extracted=answer[7:-1])
    assert quick(gold, f"\\boxed{{{gold}}}") == Score.of(CORRECT, extracted=gold)
