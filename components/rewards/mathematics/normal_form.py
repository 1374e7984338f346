"""One spelling for what LaTeX and keyboards spell in many ways; nothing here changes what a text says."""

import re
from functools import lru_cache
from unicodedata import normalize

MAX_CHARS = 4096  # longer answers are not read

_GREEK = [f"\\{name} " for name in "alpha beta gamma delta theta lambda mu sigma omega phi".split()]  # noqa: SIM905
_UNICODE = str.maketrans(
    {
        "\u2212": "-",
        "\u2013": "-",
        "\u00d7": r"\times ",
        "\u00b7": r"\cdot ",
        "\u22c5": r"\cdot ",
        "\u00f7": "/",
        "\u03c0": r"\pi ",
        "\u221e": r"\infty ",
        "\u2264": r"\leq ",
        "\u2265": r"\geq ",
        "\u2260": r"\neq ",
        "\u00b0": r"^\circ ",
        "\u222a": r"\cup ",
        "\u2229": r"\cap ",
        "\u2208": r"\in ",
        "\u00b1": r"\pm ",
        "\u2248": r"\approx ",
        "\u2205": r"\emptyset ",
        "\u2044": "/",
        "\u3001": ", ",
        "\u2019": "'",
        "\u2032": "'",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u3002": ".",
        "\u20ac": "$",
        "\u00a3": "$",
        "\u00a5": "$",
        "\u20b9": "$",  # which currency is the problem's to say
        "\u27e8": "(",
        "\u27e9": ")",
        "\u00ac": r"\neg ",
        "`": "",
        **dict(zip("\u03b1\u03b2\u03b3\u03b4\u03b8\u03bb\u03bc\u03c3\u03c9\u03c6", _GREEK, strict=True)),
    }
)
_UNICODE |= {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0xFF0C: ", "}  # full width
_UNICODE |= dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF), "")  # nothing to be seen
_VULGAR = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a", "0123456789-+"
)
_RAISED = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207a]+")
_RADICAL = re.compile("\u221a ?(\\d+(?:\\.\\d+)?|[A-Za-z]|\\([^()]*\\)|\\{[^{}]*\\})")
_STEPS = [
    (needle, re.compile(pattern), replacement)
    for needle, pattern, replacement in (
        ("US", r"\bUS ?(?=\\?\$ ?\d)", ""),
        ("**", r"(?<=[\w)\]}]) ?\*\* ?(?=[\w({+-])", "^"),
        ("Eq(", r"^Eq\((.*), ?([^,()]*)\)$", r"\1=\2"),
        (
            "\\",
            r"(?<!\\)\\!\s*|\\(?:left|right|[bB]igg?[lrm]?)(?![A-Za-z])\.?|\\(?:displaystyle|limits)(?![A-Za-z])",
            "",
        ),
        ("", r"(?<!\\)\\[()\[\]](?!\d+pt)|\\?\$", ""),
        ("\\langle", r"\\langle(?![A-Za-z]) ?", "("),
        ("\\rangle", r" ?\\rangle(?![A-Za-z])", ")"),
        (
            "\\",
            r"\\(?:textcolor|colorbox) ?\{\w+\} ?(?=\{)|\\color ?\{\w+\} ?|\\(?:underline|boxed|ensuremath) ?(?=\{)",
            "",
        ),
        ("{", r"^\{ ?(-?[\w.]+) ?\}$", r"\1"),
        ("'", r"(?<![\d'])(\d{1,3})'(\d{3})(?=(?:'\d{3})*(?![\d']))", r"\1,\2"),
        ("'", r"(?<=,\d{3})'(?=\d{3}(?!\d))", ","),
        (".", r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.])", lambda found: found[0].replace(".", ",")),
        ("U", r"(?<=[\])]) ?U ?(?=[\[(])", r"\\cup "),
        ("\\text", r"\\text ?\{ ?(-?\d[\d,.]*)(?= |\})", r"\1\\text{"),
        ("\\text", r"\\text ?\{ *\}", ""),
        ("\\{", r"\\\{ ?\\\}", r"\\emptyset"),
        ("\n", r"(?<=\d) ?\n\s*(?=\d)", ", "),
        ("", r"(?<!\\)\\[,;: ]|~|\\q?quad(?![A-Za-z])", " "),
        ("", r"\s+", " "),
        ("frac", r"\\(?:[dtcs]|nice)frac(?![A-Za-z])", r"\\frac"),
        ("\\choose", r"\{ ?(\w+) ?\\choose ?(\w+) ?\}", r"\\binom{\1}{\2}"),
        ("\\dot", r"\.(\d*) ?\\dot ?\{?(\d)\}?(?:(\d*) ?\\dot ?\{?(\d)\}?)?", r".\1\\overline{\2\3\4}"),
        ("\\backslash", r"\\backslash(?![A-Za-z])", r"\\setminus"),
        ("\\mathbb", r"(\\mathbb ?\{? ?R ?\}?) ?- ?(?=\\\{)", r"\1\\setminus"),
        ("{:}", r"\{:\}", ":"),
        ("\\mathrm", r"(?<=\d) ?\\mathrm ?\{ ?([A-Zabcf-hj-z]) ?\}", r"\\text{\1}"),
        ("\\", r"\\(?:mathrm|mathit|mathbf|mathsf|boldsymbol|operatorname|bm)\s*\{\s*([A-Za-z])\s*\}", r"\1"),
        ("\\", r"\\(?:mathrm|mathit|mathbf|mathsf|textrm|textbf|textit|textnormal|textsf|mbox)\s*\{", r"\\text{"),
        ("\\frac{\\text", r"\\frac\{\\text\{([^{}]*)\}\} ?\{\\text\{([^{}]*)\}(\^\d)?\}", r"\\text{\1/\2}\3"),
        ("\\frac", r"\\frac ?([0-9A-Za-z]) ?(?=[0-9A-Za-z{])", r"\\frac{\1}"),
        ("\\frac", r"(\\frac ?\{[^{}]*\}) ?([0-9A-Za-z])", r"\1{\2}"),
        ("\\frac", r"\\frac ?(\\(?!frac|sqrt|text)[A-Za-z]+) ?(?=[0-9{\\])", r"\\frac{\1}"),
        ("\\frac", r"(\\frac ?\{[^{}]*\}) ?([0-9]|\\(?!frac|sqrt|text)[A-Za-z]+)(?![A-Za-z{])", r"\1{\2}"),
        ("\\sqrt", r"\\sqrt ?([0-9A-Za-z])", r"\\sqrt{\1}"),
        ("{", r" ?\{ ?, ?\}", ","),
        ("", r"(?:\\leq?(?![A-Za-z])|\\leqslant|<=) ?", r"\\leq "),
        ("", r"(?:\\geq?(?![A-Za-z])|\\geqslant|>=) ?", r"\\geq "),
        ("", r"(?:\\neq?(?![A-Za-z])|!=|\\not ?=) ?", r"\\neq "),
        ("\\lt", r"\\lt(?![A-Za-z])", "<"),
        ("\\gt", r"\\gt(?![A-Za-z])", ">"),
        ("\\lbrace", r"\\lbrace(?![A-Za-z])", r"\\{"),
        ("\\rbrace", r"\\rbrace(?![A-Za-z])", r"\\}"),
        ("\\varnothing", r"\\varnothing(?![A-Za-z])", r"\\emptyset"),
        ("prime", r"\^ ?\\prime(?![A-Za-z])|\^ ?\{ ?\\prime ?\}", "'"),
        ("\\", r"\^ ?\{ ?\\circ ?\}|\^ ?\\circ(?![A-Za-z])|\\degree(?![A-Za-z])", r"^\\circ"),
        ("{", r"([\^_]) ?\{ ?(\w) ?\}", r"\1\2"),
        ("\\infty", r"(?<![\w)}\]])\+ ?(?=\\infty)", ""),
        ("", r" ?([=<>+*/^_|:{}()\[\]-]) ?", r"\1"),
        (" ", r" ?([,;]) ?(?= )| ([,;])", r"\1\2"),
        ("\\", r" (?=\\)", ""),
    )
]
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?")  # in its one spelling already
_SLASHED = re.compile(r"\\\\(?=[A-Za-z])")


@lru_cache(maxsize=8192)
def normal(text: str) -> str:
    r"""``text`` in one spelling, without the marks around it; a space stays where it separates.

    >>> normal(r"$\dfrac12\,$."), normal("11,\\! 111"), normal("x \\le 2")
    ('\\frac{1}{2}', '11,111', 'x\\leq 2')
    """
    text = text[: MAX_CHARS + 1]
    if _PLAIN.fullmatch(text):
        return text
    if not text.isascii():
        text = _RAISED.sub(lambda found: f"^{{{found[0].translate(_SUPERSCRIPTS)}}}", text)
        text = _VULGAR.sub(
            lambda found: "\\frac{{{}}}{{{}}}".format(*normalize("NFKC", found[0]).split("\u2044")), text
        )
        text = _RADICAL.sub(lambda found: f"\\sqrt{{{found[1].strip('(){}')}}}", text)
    text = text.translate(_UNICODE)
    if "\\\\" in text and "\\begin" not in text:
        text = _SLASHED.sub(r"\\", text)
    for needle, pattern, replacement in _STEPS:
        if needle in text:
            text = pattern.sub(replacement, text)
    previous = None
    while previous != text:
        previous = text
        text = text.rstrip(" \t\n.,;:\\*").lstrip(" \t\n,;:*")
        if text.startswith(".") and not text[1:2].isdigit():
            text = text[1:]
    return text


def closing(text: str, start: int) -> int | None:
    """Where the bracket at ``start`` closes; ``(0,1]`` counts as closed. None when it never does."""
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] not in ("{", "}"):
            position += 2
            continue
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None


def split(text: str, separator: re.Pattern[str]) -> list[str]:
    """The parts of ``text`` between separators that stand outside every bracket."""
    depth = start = position = 0
    parts = []
    while position < len(text):
        if depth == 0 and (found := separator.match(text, position)) and found.end() > position:
            parts.append(text[start:position].strip())
            start = position = found.end()
            continue
        if text[position] in "([{":
            depth += 1
        elif text[position] in ")]}":
            depth = max(0, depth - 1)
        position += 1
    return [*parts, text[start:].strip()]
