"""Whether a tokenizer gives a text back: one that loses blanks trains and is rewarded on other texts than anyone reads."""

import json
import unicodedata
from pathlib import Path
from typing import Any

PROBES = (
    "Two words, and more.",
    "one  two   three    four",
    "  ends in blanks  ",
    "first\nsecond\n\nthird\n",
    "a\tb\t\tc",
    "def f(x):\n    if x >= 0:\n        return x ** 2  # squared\n",
    'print(f"{name!r}: {{}}")',
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
    "na\u00efve caf\u00e9, \u03b1 \u2264 \u03b2",
    "\U0001f680\U0001f44d",
    "<think>\nwait, 2 + 2 = 4.\n</think>\n<answer>4</answer>",
    "$\\frac{1}{2}$ is \\boxed{0.5}",
)
"""Blanks, line ends, code, Chinese, accents, emoji, tags, formulas."""


def first_loss(tokenizer: Any) -> str | None:
    """What a tokenizer makes of a probe that it does not give back, in words; None where all come back.

    Probes with a character that it does not know are left out. Unicode's composed form (NFC) is the same text, and so is one
    without the blank at its very beginning, for pieces that begin with blanks of their own cannot say it.
    """
    for probe in PROBES:
        try:
            ids = _encode(tokenizer, probe)
        except Exception as error:  # the tokenizers library raises nothing narrower
            return f"the tokenizer does not give a text back: of {probe!r} it makes an error, {error}"
        if not _known(tokenizer, ids):
            continue
        made = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if not _same(str(made), probe):
            return f"the tokenizer does not give a text back: of {probe!r} it makes {made!r}"
    return None


def num_unknown(tokenizer: Any) -> int:
    """In how many probes there is a character that the tokenizer does not know."""
    return sum(not _known(tokenizer, _encode(tokenizer, probe)) for probe in PROBES)


def likely_cause(directory: Path) -> str:
    """What the files of a tokenizer that loses something say of themselves, with the fix."""
    try:
        said = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))["tokenizer_class"]
    except (OSError, ValueError, LookupError, TypeError):
        return "fetch the tokenizer again, or give another model"
    return (
        f"tokenizer_config.json says tokenizer_class = {said!r}, and tokenizer.json may be another model's: fetch both again, or "
        "give another model"
    )


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _known(tokenizer: Any, ids: list[int]) -> bool:
    return tokenizer.unk_token_id is None or tokenizer.unk_token_id not in ids


def _same(made: str, probe: str) -> bool:
    made, probe = unicodedata.normalize("NFC", made), unicodedata.normalize("NFC", probe)
    return made == probe or (probe.startswith(" ") and made == probe[1:])
