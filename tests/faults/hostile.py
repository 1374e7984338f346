"""Answers that are bad for verifiers, and ordinary ones whose verdicts they must not change."""

ORDINARY = [
    ("18", "\\boxed{18}", 1.0),
    ("18", "\\boxed{19}", 0.0),
    ("\\frac{x+1}{2}", "\\boxed{\\frac{x}{2}+\\frac{1}{2}}", 1.0),
    ("\\frac{x+1}{2}", "\\boxed{\\frac{x}{2}+\\frac{1}{3}}", 0.0),
    ("\\{1,2,3\\}", "\\boxed{\\{3,2,1\\}}", 1.0),
    ("[0,1)", "\\boxed{[0,1]}", 0.0),
    ("\\sqrt{12}", "\\boxed{2\\sqrt{3}}", 1.0),
    ("x^2+1", "\\boxed{y^2+1}", 0.0),
]
"""Gold, answer, reward."""


def _nest(opening: str, closing: str, depth: int, core: str = "5") -> str:
    return opening * depth + core + closing * depth


def _matrix(size: int, entry: str) -> str:
    rows = " \\\\ ".join(" & ".join([entry] * size) for _ in range(size))
    return f"\\begin{{pmatrix}}{rows}\\end{{pmatrix}}"


HOSTILE = {
    "tower": "9^{9^{9^{9}}}",
    "tower in text form": "9**9**9**9",
    "tower of two": "2^{2^{2^{2^{2^{2}}}}}",
    "tower of letters": "x^{x^{x^{x^{x^{x^{x}}}}}}",
    "negative tower": "9^{-9^{9^{9}}}",
    "long power": "9^{999999999}",
    "power of a sum": "(a+b+c+d+e)^{500}",
    "product of powers": "(x+1)^{300}(y+1)^{300}(x+y)^{300}",
    "rational power": "(\\frac{3}{7})^{99999999}",
    "root of a tower": "\\sqrt[9]{9^{9^{9}}}",
    "factorials": "((10!)!)!",
    "factorial of a sum": "(10!+1)!",
    "large factorial": "99999999!",
    "binomial": "\\binom{10^9}{5 \\cdot 10^8}",
    "large binomial": "\\binom{100000000}{50000000}",
    "brackets": _nest("(", ")", 3000),
    "braces": _nest("{", "}", 3000),
    "sixteen braces": _nest("{", "}", 16),
    "square brackets": _nest("[", "]", 3000),
    "open brackets": "(" * 3000,
    "fractions": _nest("\\frac{1}{1+", "}", 60),
    "deep fractions": _nest("\\frac{", "}{2}", 1500),
    "roots": _nest("\\sqrt{", "}", 1000),
    "functions": _nest("\\sin(", ")", 200, "x"),
    "absolute values": _nest("|", "|", 400, "x"),
    "matrix": _matrix(30, "x+\\frac{1}{3}"),
    "inverse matrix": _matrix(12, "x^2") + "^{-1}",
    "determinant": "\\det" + _matrix(14, "a+b"),
    "set": "\\{" + ",".join(str(k) for k in range(3000)) + "\\}",
    "set of symbols": "\\{" + ",".join(f"x_{{{k}}}" for k in range(3000)) + "\\}",
    "unions": "\\cup".join(f"({k},{k + 1})" for k in range(400)),
    "plus-minus": "\\pm".join(str(k) for k in range(40)),
    "sum": "x+" * 3000 + "x",
    "alternating sum": "+".join(f"(-1)^{{{k}}}\\sqrt{{{k}}}" for k in range(300)),
    "integral": "\\int_0^{\\infty} \\frac{\\sin(x^{x})}{x^{x}+1} dx",
    "infinite sum": "\\sum_{k=1}^{10^{9}} \\frac{1}{k^{k}}",
    "product": "\\prod_{k=1}^{10^{8}} (1+\\frac{1}{k})",
    "limit": "\\lim_{x \\to \\infty} x^{x^{x}}",
    "equations": "=".join(["x^7+x+1"] * 200),
    "modulo": "7^{9^{9^{9}}} \\mod 1000007",
    "digits": "1" * 100_000,
    "ten megabytes of digits": "7" * 10_000_000,
    "ten megabytes of braces": "{" * 10_000_000,
    "ten megabytes of boxes": "\\boxed{" * 1_400_000,
    "ten megabytes of prose": "so it is 5 or " * 700_000,
    "null bytes": "\x00" * 5000 + "5",
    "surrogates": "\ud800\udfff\udc00" * 2000,
    "unicode digits": "\u0665\u2075\U0001d7d3" * 1000,
    "control characters": "".join(map(chr, range(32))) * 300,
    "commands": "\\a" * 5000,
    "python": "__import__('os').system('touch /tmp/r1-hostile-answer')",
}
"""What stands inside the box, by name; the gold is 5, or an expression with a letter."""
