"""Partial credit for the four tags, where the whole format is still too rare to be found."""

TAGS = ("<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>")


def tag_count(text: str, prefilled: bool = False) -> float:
    """A quarter for each of ``TAGS`` that occurs exactly once, behind those before it; after open-r1's tag-count reward.

    With ``prefilled`` the prompt has written the first tag: it counts as there, unless the text writes it again. 0 in
    all for an empty thought, that is for nothing but white space between the first tag and the next, or the end.

    >>> tag_count("<think>\\n1+1\\n</think>\\n<answer>\\n2\\n</answer>"), tag_count("<think>\\n1+1\\n</think>\\n2")
    (1.0, 0.5)
    """
    text = TAGS[0] + text if prefilled else text
    opening, rest = text.find(TAGS[0]), len(text)
    if opening >= 0:
        start = opening + len(TAGS[0])
        rest = min((place for tag in TAGS if (place := text.find(tag.strip(), start)) >= 0), default=len(text))
        if not text[start:rest].strip():
            return 0.0
    credit, last = 0.0, -1
    for tag in TAGS:
        place = text.find(tag)
        if place > last and text.count(tag) == 1:
            credit, last = credit + 0.25, place
    return credit
