"""Text as curation compares it: normalised strings, words, and tokens in which numbers and signs can be told apart.

*Words* are what the paper's rule of ten counts. *Tokens* are what shingles are made of: words, numbers and operators, each in
one spelling (``1,000`` = ``1000`` = ``thousand``, ``\\dfrac`` = ``\\frac``), without punctuation and without LaTeX that only
arranges. A *figure* is a token that carries a quantity: a number, in digits or in words, or an operator.
"""

import re
import unicodedata

NUMBER = "0"
"""What a masked number looks like."""
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+")  # each Chinese character is a word
_NUMBER = r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?"
_TOKEN = re.compile(  # the hyphen of well-known is no minus
    rf"[^\W\d_{_HAN}]+|[{_HAN}]|{_NUMBER}|[+*/^=<>\u2264\u2265\u00d7\u00f7\u2212]|-(?![^\W\d_]{{2}})"
)
_ASCII_WORD = re.compile(r"\w+", re.ASCII)  # the same for ASCII, in half the time
_ASCII_TOKEN = re.compile(rf"[a-z]+|{_NUMBER}|[+*/^=<>]|-(?![a-z]{{2}})", re.ASCII)
_OPERATORS = frozenset("+-*/^=<>\u2264\u2265\u00d7\u00f7\u2212")
_ARRANGING = frozenset(
    "left right big bigg quad qquad displaystyle operatorname text textbf textit mathrm mathbf mbox".split(" ")  # noqa: SIM905
)
_SPELLINGS = {"dfrac": "frac", "tfrac": "frac", "leq": "le", "geq": "ge", "\u2212": "-", "cdot": "*"}
_SPELLINGS |= {"\u00d7": "*", "\u00f7": "/", "\u2264": "le", "\u2265": "ge"}
_UNITS = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
]
_SPELLINGS |= {word: str(value) for value, word in enumerate(_UNITS)}
_SPELLINGS |= {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80"}
_SPELLINGS |= {"ninety": "90", "hundred": "100", "thousand": "1000", "million": "1000000"}
_SPELLINGS |= {
    character: str(value)
    for value, character in enumerate("\u96f6\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341")
}
_QUANTITIES = frozenset(("half", "third", "quarter", "twice", "thrice", "double", "triple"))


def normalise(text: str) -> str:
    """NFKC, casefold, whitespace collapsed: what two texts must share to count as the same.

    >>> normalise("  What IS\\n1 + 1? ")
    'what is 1 + 1?'
    """
    return " ".join((text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()).split())


def words(normalised: str) -> list[str]:
    """The words of a normalised text: runs of letters and digits, Chinese by the character."""
    return (_ASCII_WORD if normalised.isascii() else _WORD).findall(normalised)


def pieces(normalised: str) -> list[str]:
    """The raw tokens of a normalised text; of a text without any, its characters."""
    pattern = _ASCII_TOKEN if normalised.isascii() else _TOKEN
    return pattern.findall(normalised) or list(normalised.replace(" ", ""))


def spelling(piece: str) -> str | None:
    """The one spelling of a raw token; None for LaTeX that only arranges.

    >>> [spelling(piece) for piece in ("1,000", "seven", "dfrac", "left")]
    ['1000', '7', 'frac', None]
    """
    if piece in _ARRANGING:
        return None
    return piece.replace(",", "") if piece[0].isdigit() else _SPELLINGS.get(piece, piece)


def tokens(text: str) -> list[str]:
    """The tokens of any text.

    >>> tokens("Well-known: $x - 1,000 = \\\\dfrac{two}{3}$.")
    ['well', 'known', 'x', '-', '1000', '=', 'frac', '2', '3']
    """
    return [token for piece in pieces(normalise(text)) if (token := spelling(piece)) is not None]


def is_number(token: str) -> bool:
    return token[0].isdigit() or token in _QUANTITIES


def is_operator(token: str) -> bool:
    return token in _OPERATORS


def shingles(text: str, width: int) -> set[tuple[str, ...]]:
    """The sets that Jaccard compares: all runs of ``width`` tokens, or the whole text where it has fewer."""
    run = tokens(text)
    return {tuple(run[start : start + width]) for start in range(max(1, len(run) - width + 1))} if run else set()


def jaccard(first: set[tuple[str, ...]], second: set[tuple[str, ...]]) -> float:
    """``|A & B| / |A | B|``; 0 for two empty sets, which have nothing in common that could be shown."""
    return len(first & second) / len(first | second) if first or second else 0.0


def masked_runs(run: list[str], width: int) -> list[tuple[str, ...]]:
    """All runs of ``width`` tokens, every number masked; the whole where there are fewer."""
    masked = [NUMBER if is_number(token) else token for token in run]
    return [tuple(masked[start : start + width]) for start in range(max(1, len(masked) - width + 1))]
