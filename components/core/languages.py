"""The natural languages that can be told apart, by BCP-47 code; light enough for the configuration to import.

A word's Unicode script settles its language where one language here is written in it. Languages that share a script
compete in ``RIVALS``, and there a language that is not listed counts as the listed one that it is most like
(Slovak as Czech, Malay as Indonesian).
"""

from r1flow.components.core.errors import ConfigError

RIVALS: dict[str, tuple[str, ...]] = {
    "Latin": (
        "cs",
        "da",
        "de",
        "en",
        "es",
        "fi",
        "fr",
        "hu",
        "id",
        "it",
        "nl",
        "no",
        "pl",
        "pt",
        "ro",
        "sv",
        "tr",
        "vi",
    ),
    "Cyrillic": ("bg", "ru", "uk"),
    "Arabic": ("ar", "fa"),
    "Cjk": ("ja", "zh"),
    "Greek": ("el",),
    "Hebrew": ("he",),
    "Devanagari": ("hi",),
    "Bengali": ("bn",),
    "Hangul": ("ko",),
    "Thai": ("th",),
}
SCRIPT_OF: dict[str, str] = {code: script for script, codes in RIVALS.items() for code in codes}
ALIASES = {"nb": "no", "nn": "no", "cmn": "zh"}

# Letters that carry as much as one English word. Measured on the Universal Declaration of Human Rights: the letters of
# its translation over the words of the English text (Chinese 1.44 simplified and 1.40 traditional, Japanese 2.18,
# Thai 4.16), so that a text half in English and half in its translation scores one half.
LETTERS_PER_WORD = {"zh": 1.4, "ja": 2.2, "th": 4.2}


def language_code(tag: str) -> str:
    """The language of a BCP-47 tag, without script and region: ``pt-BR`` is ``pt`` and ``zh-Hant`` is ``zh``.

    Raises ConfigError for a language that is not known.
    """
    code = tag.replace("_", "-").split("-")[0].lower()
    code = ALIASES.get(code, code)
    if code not in SCRIPT_OF:
        raise ConfigError(f"language {tag!r} is not known; known are {', '.join(sorted(SCRIPT_OF))}")
    return code
