"""Word problems made from a seed, and the changes that copies of problems go through on their way into data sets."""

import re
from collections.abc import Callable
from random import Random

NAMES = ("Olivia", "Mateo", "Priya", "Chen", "Fatima", "Lars", "Amara", "Diego", "Yuki", "Noah")
THINGS = ("apples", "marbles", "stamps", "tickets", "pencils", "cookies", "bricks", "shells", "candles", "ribbons")
PLACES = ("market", "school", "garden", "library", "harbour", "station", "museum", "bakery", "stadium", "village")
WORDS = (
    *("river", "yellow", "quiet", "paper", "winter", "silver", "morning", "copper", "gentle", "crooked", "basket"),
    *("letter", "window", "thunder", "pocket", "velvet", "ladder", "mirror", "orange", "pepper", "saddle", "tunnel"),
    *("whistle", "anchor", "blanket", "cabin", "dragon", "engine", "feather", "guitar", "hammer", "island", "jacket"),
)
SYNONYMS = {
    "how many": "what number of",
    "bought": "purchased",
    "each": "every",
    "gave": "handed",
    "then": "afterwards",
}
SYNONYMS |= {
    "find": "determine",
    "total": "sum",
    "let": "suppose",
    "evaluate": "calculate",
    "if": "when",
    "has": "owns",
}
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def problem(rng: Random) -> tuple[str, str]:
    """(prompt, answer): four or five sentences, no two problems with much in common but the last one's beginning."""
    name, thing, place = rng.choice(NAMES), rng.choice(THINGS), rng.choice(PLACES)
    first, second, third = rng.randrange(20, 99), rng.randrange(3, 19), rng.randrange(2, 9)
    filler = [" ".join(rng.sample(WORDS, 7)).capitalize() + "." for _ in range(3)]
    text = (
        f"{name} bought {first} {thing} at the {rng.choice(WORDS)} {place}. {filler[0]} Then {name} gave {second} of them to "
        f"the {rng.choice(WORDS)} {rng.choice(WORDS)}. {filler[1]} {filler[2]} "
        f"How many {rng.choice(WORDS)} {thing} are in each of {third} {rng.choice(WORDS)} boxes?"
    )
    return text, f"{(first - second) * 100 // third}"


def in_case(text: str, rng: Random) -> str:
    return rng.choice([str.upper, str.lower, str.title])(text)


def in_spacing(text: str, rng: Random) -> str:
    return re.sub(" ", lambda _: rng.choice([" ", "  ", "\n", " \t"]), text)


def in_punctuation(text: str, rng: Random) -> str:
    return re.sub(r"[,;:!?.](?=\s|$)", lambda found: rng.choice(["", found[0], ";", "!"]), text)


def in_names(text: str, rng: Random) -> str:
    for name in dict.fromkeys(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b", text)):
        text = re.sub(rf"\b{name}\b", rng.choice(NAMES), text)
    return text


def in_numbers(text: str, rng: Random) -> str:
    return re.sub(r"\d{1,8}", lambda found: str(int(found[0]) + rng.randint(1, 9)), text)


def in_order(text: str, rng: Random) -> str:
    *head, last = _SENTENCE.split(text)
    rng.shuffle(head)
    return " ".join([*head, last])


def in_words(text: str, rng: Random) -> str:
    """Two or three words replaced by others that mean the same."""
    held = [word for word in SYNONYMS if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    for word in rng.sample(held, min(3, len(held))):
        text = re.sub(rf"\b{word}\b", SYNONYMS[word], text, count=2, flags=re.IGNORECASE)
    return text


Change = Callable[[str, Random], str]
LIGHT: tuple[Change, ...] = (in_case, in_spacing, in_punctuation)
ALL: tuple[Change, ...] = (*LIGHT, in_names, in_numbers, in_order, in_words)
