"""What may stand behind a number without changing it: units, currencies, counted things."""

import re

_NAMES = """
mm millimeter millimetre|cm centimeter centimetre|m meter metre|km kilometer kilometre|in inch inches|ft foot feet
yd yard|mi mile|mg milligram|g gram gramme|kg kilogram|oz ounce|lb lbs pound|ton tonne|ml milliliter millilitre
l liter litre|gal gallon|ms millisecond|s sec second|min minute|h hr hour|d day|week wk|month mo|yr year|deg degree
rad radian|hz hertz|n newton|j joule|w watt|v volt|pa pascal|k kelvin|mph|kmh kph|dollar usd|cent|euro eur
unit|square_unit sq_unit|cubic_unit|mol mole|ev|kj|kw|kwh|hp|bit|byte
"""
_CANONICAL = {
    name.replace("_", " "): group.split()[0].replace("_", " ")
    for group in _NAMES.replace("\n", "|").split("|")
    for name in group.split()
}
_ALIASES = {"mi/h": "mph", "km/h": "kmh"}
_LONE = re.compile(r"(.*[\d}]) ?([A-Za-z]{1,2})((?:\^\d)?)")
_TEXT = re.compile(r"\\text\{([^{}]*)\}|\^\\circ ?([CF]?)(?![A-Za-z])")
_POWERS = re.compile(r"\^(?:\{?[-+]?\d\}?)")
_CHANGES = re.compile(
    r"\b(?:is|are|was|were|be|wrong|incorrect|false|impossible|invalid|never|but|except|if|then|because|which|or|and|not|no|maybe|perhaps|plus|minus|times|over|by|half|halves|thirds?|quarters?|fourths?|fifths?|sixths?"
    r"|dozens?|hundreds?|thousands?|millions?|billions?|trillions?|percent|squared|cubed|factorial|doubled|tripled|halved|divided|to|than|mod|pi|i)\b"
)
_SET_UNIT = re.compile(r"(?<=[\w)}\]]) ?((?:\\text\{[^{}]*\}|\^\\circ)(?:\^\d)?)$")
_BARE_UNIT = re.compile(r"(?:(?<=\})|(?<=[\w)]) )([a-z]{2,}(?:\^\d)?)$")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")
_ANGLE = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc) ?[({]? ?[\d.]+ ?\^\\circ$")
_POWER_WORD = re.compile(r"(square|cubic) (?!unit)")
_WORDS = re.compile(r"[^\W\d_][^\W\d_.'-]*(?:[ /.-]+[^\W\d_][^\W\d_.'-]*){0,4}[.]?")


def is_unit(rest: str) -> bool:
    r"""Whether ``rest``, found behind a number, leaves the number as it is.

    >>> is_unit(r"\text{ cm}^2"), is_unit(" weeks"), is_unit("x"), is_unit(r"\text{ or so}")
    (True, True, False, False)
    """
    set_as_text = rest.lstrip().startswith(("\\text{", "^\\circ"))
    if rest.strip() == "^\\circ":
        return True
    plain = _plain(rest)
    if not plain or len(plain) > 60:
        return not rest.strip()
    if "\\" in _TEXT.sub("", rest):
        return False  # a letter of another alphabet, dots
    if _CHANGES.search(plain) or not _WORDS.fullmatch(plain):
        return False
    words = re.split(r"[ /.-]+", plain.strip("."))
    if set_as_text or any(ord(character) > 0x2E80 for character in plain):
        return True
    if max(map(len, words)) < 3 and not rest.startswith(" "):  # 5pa/r are letters, 5km/h is a speed
        return all(_stem(word) in _CANONICAL for word in words) and len(words[0]) > 1
    return any(len(word) >= 4 or _stem(word) in _CANONICAL for word in words) and not (
        len(words) == 1 and len(words[0]) == 1
    )


def canonical_unit(rest: str) -> str:
    """The known unit in ``rest`` under its one name, with its powers; empty for none and for unknown ones."""
    powers = "".join(_POWERS.findall(rest)).replace("{", "").replace("}", "")
    name = _canonical(_plain(rest).strip("."))
    if rest.strip().startswith("^\\circ") and not name:
        name = "deg"
    return _ALIASES.get(name, name) + powers if name else ""


def split_unit(text: str) -> tuple[str, str]:
    r"""An expression and the unit behind it, empty without one; a bare one only behind an expression without letters.

    >>> split_unit(r"5\sqrt{3}\text{ cm}"), split_unit("12x")
    (('5\\sqrt{3}', 'cm'), ('12x', ''))
    """
    if (found := _SET_UNIT.search(text)) and is_unit(found[1]) and not _ANGLE.search(text):
        return text[: found.start()], canonical_unit(found[1])
    bare = _BARE_UNIT.search(text)
    if bare and (unit := canonical_unit(f" {bare[1]}")) and not _LETTER.search(text[: bare.start()]):
        return text[: bare.start()], unit
    return text, ""


def set_unit(text: str, unit: str) -> str:
    r"""``text`` with the bare letters behind its number set as a unit, where they are the known unit ``unit``.

    >>> set_unit("12 m^2", "m^2"), set_unit("12m", "s")
    ('12\\text{m}^2', '12m')
    """
    lone = _LONE.fullmatch(text) if unit else None
    if lone is None or canonical_unit(f"\\text{{{lone[2]}}}{lone[3]}") != unit:
        return text
    return f"{lone[1]}\\text{{{lone[2]}}}{lone[3]}"


def _canonical(plain: str) -> str:
    """``km/h`` of kilometers per hour; empty where a part is unknown."""
    parts = [_CANONICAL.get(_stem(part), "") for part in re.split(r" ?/ ?| per ", plain)]
    if len(parts) == 1 and not parts[0] and (power := _POWER_WORD.match(plain)):
        base = _CANONICAL.get(_stem(plain[power.end() :]), "")
        return base and f"{base}^{2 if power[1] == 'square' else 3}"
    return "/".join(parts) if all(parts) else ""


def _plain(rest: str) -> str:
    inside = _TEXT.sub(lambda found: f" {found[1] or 'degrees'} ", rest)
    return re.sub(r"\s+", " ", _POWERS.sub("", inside).replace("\\", " ")).strip().lower()


def _stem(word: str) -> str:
    word = word.strip()
    return word if word in _CANONICAL else word.removesuffix("s")
