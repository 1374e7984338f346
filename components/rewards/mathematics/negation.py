"""Words that deny the value beside them: "anything but 5", "it cannot be 5", "5 is wrong", "twice 5"."""

import re

REACH = 90  # characters before a value that may deny it

_CLAUSE = re.compile(r"[.;!?\n,\u3002\uff1b\uff0c]|\b(?:so|therefore|thus|hence|but it is|rather)\b")
_LINK = (
    r"(?:possibly|actually|really|simply|just|exactly|going|be|is|are|equals?|to|the|a|an|answer|number|value|result"
    r"|solution|option|it|that|correct|right|final|say|claim|think|write|guess|est|es|ist|\u00e9|e|=)"
)
_NOT = re.compile(
    r"(?:\b(?:not|never|nor|neither|cannot|except|excluding|without|unlike|doubt|unlikely|impossible|false|wrong"
    r"|incorrect|untrue|\w+n['\u2019]t|other than|rather than|instead of|anything but|everything but|pas|non|nicht"
    r"|keineswegs|no es|nunca|jamais|jam\u00e1s|niemals|n\u00e3o|mai)"
    rf"(?:[\s:*]+{_LINK}){{0,5}}[\s:*$(]*|(?:\u4e0d\u662f|\u5e76\u975e|\u4e0d\u7b49\u4e8e|\u4e0d\u53ef\u80fd|\u4e0d\u4f1a|\u7edd\u975e|\u9664\u4e86|\u4e0d\u4e3a)[^\u3002\uff0c\d]{{0,6}})$",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"\b(?:at least|at most|(?:more|less|fewer|greater|larger|smaller|higher|lower|bigger) than|between|up to|maybe"
    r"|if (?:\w+ ){1,3}(?:were|was|is|be|equals)"
    r"|perhaps|possibly|might be|could be|twice|thrice|double|triple|half|minus|negative|plus or minus"
    r"|(?:root|opposite|negative|reciprocal|inverse|square|cube|logarithm|multiples?|powers?|third|quarter|fraction"
    r"|negation|half|double|factorial) of|(?:any|every|no|all|each)\b[\w ]{0,30}\b(?:but|except|besides|save))\s+\$?$",
    re.IGNORECASE,
)
_REFUTED = re.compile(
    r"[\s,.$*)\"'?!]*(?:[^\W\d]+\s+){0,3}(?:(?:is|are|was|were|would be|seems|being)\s+"
    r"(?:(?:a|an|the|clearly|obviously|definitely|completely|also|just|simply)\s+){0,3}"
    r"(?:wrong|incorrect|impossible|false|mistaken|excluded|ruled out|untrue|invalid"
    r"|not(?=\s+(?:the|correct|right|it|an?|possible|our|valid|true)\b|\s*[.!,]|\s*$))"
    r"|(?:isn|aren|wasn|won)['\u2019]t\b|can(?:not|['\u2019]t)\s+be\b|can be (?:ruled out|excluded)"
    r"|does(?: not|n['\u2019]t)\s+(?:work|fit|hold)\b)|\s*\$?\s*\?\s*No\b",
    re.IGNORECASE,
)
_DENIES_MARK = re.compile(
    r"\b(?:false|wrong|untrue|incorrect|not true|not the case|doubt|deny|don['\u2019]t (?:think|believe)"
    r"|do not (?:think|believe)|impossible|unlikely)\s+(?:that\s+)?(?:the\s+)?(?:final\s+|correct\s+)?$",
    re.IGNORECASE,
)


def denied(before: str) -> bool:
    """Whether the clause that ends right before a value denies it or makes another value of it."""
    before = before[-REACH:]
    if _CHANGED.search(before):
        return True
    clause = _CLAUSE.split(before)[-1]
    return _NOT.search(clause) is not None


def refuted(text: str, end: int) -> bool:
    """Whether what follows a value says that it is wrong."""
    return _REFUTED.match(text, end) is not None


def denies_mark(before: str) -> bool:
    """Whether "the answer is" is what is denied: "it is false that ..."."""
    return _DENIES_MARK.search(before) is not None
