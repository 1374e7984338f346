"""Answers in words: names, places, yes and no."""

import re

_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_WORD = re.compile(r"[^\W\d_]+")
_MATHS_WORDS = frozenset(
    "sin cos tan cot sec csc log ln exp sqrt pi inf infinity lim max min gcd lcm mod".split()  # noqa: SIM905
)
_ARTICLES = re.compile(r"\b(?:the|a|an)\b", re.IGNORECASE)
_PLURAL = re.compile(r"(?<=[^\W\d_]{3}[^\W\d_s])s\b")
_CODE = re.compile(r"[A-Za-z]{4,}\d+")
_SYMBOLS = re.compile(r"[\\^_=<>+*/|{}\[\]]|\d")


def is_words(text: str) -> bool:
    r"""Whether a normal form says something in words: set as text, a word of four letters, or several words.

    >>> is_words("Evelyn"), is_words(r"\text{odd}"), is_words("abc"), is_words("2x+1")
    (True, True, False, False)
    """
    if text.lower() in ("yes", "no") or _CODE.fullmatch(text):
        return True
    set_as_text = _TEXT.search(text) is not None
    plain = _TEXT.sub(r" \1 ", text)
    if _SYMBOLS.search(plain):
        return False
    words = [word.lower() for word in _WORD.findall(plain)]
    if not words or any(word in _MATHS_WORDS for word in words):
        return False
    long = [word for word in words if len(word) > 1]
    return bool(long) and (set_as_text or len(long) > 1 or len(long[0]) > 3)


def key(text: str) -> str:
    """Letters and digits alone, without case, articles and the s of a plural.

    Two texts in words are equal when their keys are.
    """
    plain = _PLURAL.sub("", _ARTICLES.sub(" ", _TEXT.sub(r" \1 ", text)))
    return "".join(character for character in plain.casefold() if character.isalnum())
