"""Text to clauses, and clauses to words sorted by script. What is no language is taken out first.

Neutral, never a word: code, LaTeX, tags, addresses, numbers, and the names that mathematics shares across languages:
single letters, short names beside an operator or a digit (``2ab``, ``xy = 12``), initials (``ABC``), ``sin`` and units.
"""

import regex

# No part can match inside a failed match of its own, so that the time is linear in the text. Not by `re`: Python below 3.11.5
# fails possessive groups that match (CPython gh-106052).
_NEUTRAL = regex.compile(
    r"```(?:[^`]|`(?!``))*+```|`[^`\n]*+`"  # code
    r"|\$\$(?:[^$]|\$(?!\$))*+\$\$|\$(?=\S)[^$\n]*(?<=\S)\$(?!\d)"  # display and inline mathematics
    r"|\\\[(?:[^\\]|\\[^\[\]])*+\\\]|\\\((?:[^\\]|\\[^()])*+\\\)"
    r"|\\begin\{(?:align|equation|gather|array|cases|[pbvB]?matrix|tabular|asy)\*?\}"
    r"(?:[^\\]|\\(?!begin|end))*+\\end\{[a-z]*\*?\}"
    r"|\[asy\](?:[^\[]|\[(?!/?asy\]))*+\[/asy\]"  # figures in the MATH data set
    r"|\\(?:begin|end|operatorname|math[a-z]+)\*?\{[^{}]*\}|\\[A-Za-z]+"  # LaTeX commands outside mathematics
    r"|</?[A-Za-z_]+>|https?://[!-;=?-~]+"
)
_L = r"A-Za-z\u00c0-\u024f"
_NAMES = regex.compile(
    rf"(?<![{_L}])(?=[{_L}])(?:"
    r"(?<![0-9_])[A-Za-z][A-Za-z0-9]*+_\w+"  # identifiers
    rf"|[{_L}]{{1,3}}(?=[\d=+^_/<>]|[ ][=+])|(?:(?<=[\d=+^_/<>])|(?<=[=+][ ]))[{_L}]{{1,3}}(?![{_L}])"
    r"|(?:sin|cos|tan|cot|sec|csc|log|ln|lg|exp|lim|max|min|gcd|lcm|mod|det|sqrt|cm|mm|km|kg|ml|[A-Z]{2,4})"
    rf"(?![{_L}]))"
)
_MARKS = r"\p{M}\u200c\u200d"
_TOKEN = regex.compile(
    rf"(?P<Latin>\p{{Latin}}[\p{{Latin}}{_MARKS}]*+(?:['\u2019][\p{{Latin}}{_MARKS}]++)*+)"
    r"|(?P<Han>\p{Han}++)"
    r"|(?P<Kana>[\p{Hiragana}\p{Katakana}\u30fc]++)"
    rf"|(?P<Cyrillic>\p{{Cyrillic}}[\p{{Cyrillic}}{_MARKS}'\u2019]*+)"
    rf"|(?P<Arabic>\p{{Arabic}}[\p{{Arabic}}{_MARKS}]*+)"
    rf"|(?P<Devanagari>\p{{Devanagari}}[\p{{Devanagari}}{_MARKS}]*+)"
    rf"|(?P<Greek>\p{{Greek}}[\p{{Greek}}{_MARKS}]*+)"
    rf"|(?P<Bengali>\p{{Bengali}}[\p{{Bengali}}{_MARKS}]*+)"
    rf"|(?P<Hebrew>\p{{Hebrew}}[\p{{Hebrew}}{_MARKS}'\"]*+)"
    r"|(?P<Hangul>\p{Hangul}++)"
    rf"|(?P<Thai>\p{{Thai}}[\p{{Thai}}{_MARKS}]*+)"
    rf"|(?P<Other>[\p{{L}}--\p{{Common}}][{_MARKS}]*+(?:[\p{{L}}--\p{{Common}}--\p{{Latin}}--\p{{Han}}][{_MARKS}]*+)*+)"
    r"|(?P<Stop>[!?;\n\u3002\uff01\uff1f\uff1b\u061b\u061f\u0964\u2026]|\.(?!\d))"
    r"|(?P<Pause>[:,\uff1a\uff0c\u3001\u060c])",
    regex.V1,
)
_LETTER = regex.compile(r"\p{L}")
_FEWEST, _MOST = 5, 12  # words of a clause: a pause ends it from the first number on, the second always
_ALPHABETIC = ("Latin", "Cyrillic", "Greek")  # where a single letter is a name

Clause = dict[str, list[str]]
"""Words by script, in the order of the text. Han and Kana hold runs of characters."""


def clauses(text: str) -> list[Clause]:
    """The words of ``text``, clause by clause: cut at the ends of sentences and lines, and long sentences at pauses."""
    text = _NAMES.sub(" ", _NEUTRAL.sub(" ", text))
    found: list[Clause] = []
    clause: Clause = {}
    size = 0
    for token in _TOKEN.finditer(text):
        kind, word = str(token.lastgroup), token.group()
        if size >= _MOST or kind == "Stop" or (kind == "Pause" and size >= _FEWEST):
            if clause:
                found.append(clause)
            clause, size = {}, 0
        if kind not in ("Stop", "Pause") and (len(word) > 1 or kind not in _ALPHABETIC):
            clause.setdefault(kind, []).append(word)
            size += 1
    return [*found, clause] if clause else found


def count_letters(word: str) -> int:
    """The letters of a word, without the marks that stand above and below them."""
    return len(_LETTER.findall(word))
