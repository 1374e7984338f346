"""The card of SFT data: what is in it, where it comes from, under which licences, by which rules."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from r1flow.components.core.schema import Row

UNKNOWN = "not stated"


@dataclass(frozen=True)
class Entry:
    """A row of the set: ``origin`` says how its completion came about, ``row.source`` whence its problem.

    ``tokens`` and ``language`` (share of the target language in the thought) are known of sampled completions.
    """

    row: Row
    origin: str
    tokens: int | None = None
    language: float | None = None


def describe(
    entries: Sequence[Entry], *, language: str, rules: Mapping[str, Any], made_from: Mapping[str, str]
) -> dict[str, Any]:
    """Everything the card says, as plain data."""
    rows = [entry.row for entry in entries]
    shares = [entry.language for entry in entries if entry.language is not None]
    return {
        "rows": len(rows),
        "problems": len({row.id for row in rows}),
        "sources": [
            {"origin": origin, "source": source, "licence": licence, "rows": number}
            for (origin, source, licence), number in most_frequent(
                Counter((e.origin, e.row.source, e.row.licence or UNKNOWN) for e in entries)
            )
        ],
        "licences": dict(most_frequent(Counter(row.licence or UNKNOWN for row in rows))),
        "skills": dict(most_frequent(Counter(row.skill for row in rows))),
        "levels": {
            str(level): number
            for level, number in sorted(Counter(r.level for r in rows if r.level is not None).items())
        },
        "language": {"target": language, "measured": len(shares), **_spread(shares)},
        "characters": _spread([len(row.completion or "") for row in rows]),
        "tokens": _spread([entry.tokens for entry in entries if entry.tokens is not None]),
        "rules": dict(rules),
        "made_from": dict(made_from),
    }


def markdown(card: Mapping[str, Any], title: str) -> str:
    """The card as a page."""
    lines = [
        f"# {title}",
        "",
        f"{card['rows']:,} rows, {card['problems']:,} problems.",
        "",
        "## Sources and licences",
        "",
    ]
    lines += table(("origin", "source of the problem", "licence", "rows"), [tuple(s.values()) for s in card["sources"]])
    lines += ["", "The licence is that of the problem's source; what a model wrote has none of its own.", ""]
    for name in ("skills", "levels"):
        if card[name]:
            lines += [f"## {name.capitalize()}", "", *table((name[:-1], "rows"), list(card[name].items())), ""]
    lines += ["## Language and length", ""]
    spreads = [
        (f"share of `{card['language']['target']}` in the thought", card["language"]),
        ("completion, characters", card["characters"]),
        ("sampled completion, tokens", card["tokens"]),
    ]
    metrics = [(name, s["least"], s["median"], s["mean"], s["most"]) for name, s in spreads if "least" in s]
    lines += [*table(("", "least", "median", "mean", "most"), metrics), "", "## Rules of selection", ""]
    lines += [*table(("setting", "value"), list(card["rules"].items())), "", "## Made from", ""]
    lines += [f"* {role}: `{address}`" for role, address in card["made_from"].items()]
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Least, median, mean and most; nothing of nothing."""
    if not values:
        return {}
    return {
        "least": min(values),
        "median": median(values),
        "mean": round(sum(values) / len(values), 4),
        "most": max(values),
    }


def most_frequent(counter: Counter[Any]) -> list[tuple[Any, int]]:
    """Most frequent first, then by name."""
    return sorted(counter.items(), key=lambda pair: (-pair[1], str(pair[0])))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(map(cell, row))} |" for row in (head, ["---"] * len(head), *rows)]


def cell(value: Any) -> str:
    """Text from outside cannot break out of its cell."""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return " ".join(text.replace("|", r"\|").split())
