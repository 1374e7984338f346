"""Sets, tuples, lists, intervals, matrices, inequalities and equations."""

import random

from r1flow.components.rewards.adversarial.cases import Specimen


def finite_set(rng: random.Random) -> Specimen:
    """A set of three or four integers: its order says nothing."""
    items = rng.sample(range(-20, 40), rng.randint(3, 4))
    shuffled = items[1:] + items[:1]
    braces = "\\{{{}\\}}".format
    same = {
        "as it is": braces(", ".join(map(str, items))),
        "no spaces": braces(",".join(map(str, items))),
        "reordered": braces(", ".join(map(str, shuffled))),
        "sorted": braces(", ".join(map(str, sorted(items)))),
        "left right": f"\\left\\{{{', '.join(map(str, items))}\\right\\}}",
        "dollars": f"${braces(', '.join(map(str, items)))}$",
    }
    new = max(items) + 1
    different = {
        "element missing": braces(", ".join(map(str, items[:-1]))),
        "element too many": braces(", ".join(map(str, [*items, new]))),
        "element changed": braces(", ".join(map(str, [*items[:-1], new]))),
        "element alone": f"{items[0]}",
        "empty": "\\emptyset",
        "interval": f"[{min(items)}, {max(items)}]",
    }
    return Specimen("set", same["as it is"], same, different)


def several(rng: random.Random) -> Specimen:
    """Two or three numbers, as the solutions of an equation are given."""
    items = sorted(rng.sample(range(-20, 40), rng.randint(2, 3)))
    new = items[-1] + 1
    same = {
        "as it is": ", ".join(map(str, items)),
        "no spaces": ",".join(map(str, items)),
        "and": ", ".join(map(str, items[:-1])) + f" \\text{{ and }} {items[-1]}",
        "turned round": ", ".join(map(str, reversed(items))),
        "decimals": ", ".join(f"{item}.0" for item in items),
    }
    different = {
        "first missing": ", ".join(map(str, items[1:])),
        "last missing": ", ".join(map(str, items[:-1])),
        "one too many": ", ".join(map(str, [*items, new])),
        "last one more": ", ".join(map(str, [*items[:-1], new])),
        "signs": ", ".join(str(-item) for item in items),
        "sum": f"{sum(items) + (sum(items) in items) * 100}",
    }
    if {-item for item in items} == set(items):
        del different["signs"]
    return Specimen("several numbers", same["as it is"], same, different)


def point(rng: random.Random) -> Specimen:
    """A pair or triple: its order counts."""
    items = rng.sample(range(-12, 25), rng.randint(2, 3))
    inside = ", ".join(map(str, items))
    same = {
        "as it is": f"({inside})",
        "no spaces": f"({inside.replace(' ', '')})",
        "left right": f"\\left({inside}\\right)",
        "dollars": f"$({inside})$",
        "decimals": f"({', '.join(f'{item}.0' for item in items)})",
        "quotients": f"({', '.join(f'{chr(92)}frac{{{2 * item}}}{{2}}' for item in items)})",
    }
    up = [items[0] + 1, *items[1:]]
    different = {
        "order": f"({', '.join(map(str, reversed(items)))})",
        "first one more": f"({', '.join(map(str, up))})",
        "last one less": f"({', '.join(map(str, [*items[:-1], items[-1] - 1]))})",
        "coordinate missing": f"({items[0]})",
        "coordinate too many": f"({inside}, {items[0]})",
        "sign": f"({', '.join(str(-item) for item in items)})",
    }
    return Specimen("point", same["as it is"], same, different)


def interval(rng: random.Random) -> Specimen:
    """A bounded interval whose ends are not both open, so that no point is written alike."""
    a = rng.randint(-15, 15)
    b = a + rng.randint(2, 20)
    left, right = rng.choice((("[", ")"), ("(", "]"), ("[", "]")))
    flip = {"[": "(", "(": "[", "]": ")", ")": "]"}
    same = {
        "as it is": f"{left}{a},{b}{right}",
        "space": f"{left}{a}, {b}{right}",
        "left right": f"\\left{left}{a},{b}\\right{right}",
        "membership": f"x \\in {left}{a}, {b}{right}",
        "dollars": f"${left}{a}, {b}{right}$",
    }
    different = {
        "left end": f"{flip[left]}{a},{b}{right}",
        "right end": f"{left}{a},{b}{flip[right]}",
        "left one more": f"{left}{a + 1},{b}{right}",
        "right one more": f"{left}{a},{b + 1}{right}",
        "unbounded": f"{left}{a},\\infty)",
        "end alone": f"{b}",
        "complement": f"(-\\infty,{a}) \\cup ({b},\\infty)",
    }
    return Specimen("interval", same["as it is"], same, different)


def union(rng: random.Random) -> Specimen:
    """Two rays."""
    a = rng.randint(-15, 10)
    b = a + rng.randint(1, 12)
    left, right = rng.choice((("]", "["), (")", "("), ("]", "("), (")", "[")))
    first, second = f"(-\\infty,{a}{left}", f"{right}{b},\\infty)"
    other_left, other_right = {"]": ")", ")": "]"}[left], {"[": "(", "(": "["}[right]
    same = {
        "as it is": f"{first}\\cup{second}",
        "spaces": f"{first} \\cup {second}",
        "turned round": f"{second} \\cup {first}",
        "plus infinity": f"{first} \\cup {right}{b},+\\infty)",
        "left right": f"\\left(-\\infty,{a}\\right{left} \\cup \\left{right}{b},\\infty\\right)",
    }
    different = {
        "first end": f"(-\\infty,{a}{other_left} \\cup {second}",
        "second end": f"{first} \\cup {other_right}{b},\\infty)",
        "first ray alone": first,
        "second ray alone": second,
        "bound one more": f"{first} \\cup {right}{b + 1},\\infty)",
        "between": f"[{a}, {b}]",
        "all": "(-\\infty,\\infty)",
    }
    return Specimen("union", same["as it is"], same, different)


def matrix(rng: random.Random) -> Specimen:
    """Two by two, not symmetric."""
    a, b, c, d = rng.sample(range(-9, 20), 4)
    same = {
        "as it is": _matrix("pmatrix", a, b, c, d),
        "brackets": _matrix("bmatrix", a, b, c, d),
        "no spaces": _matrix("pmatrix", a, b, c, d).replace(" ", ""),
        "quotients": _matrix("pmatrix", f"\\frac{{{3 * a}}}{{3}}", b, c, d),
    }
    different = {
        "transposed": _matrix("pmatrix", a, c, b, d),
        "rows swapped": _matrix("pmatrix", c, d, a, b),
        "entry one more": _matrix("pmatrix", a, b, c, d + 1),
        "negative": _matrix("pmatrix", -a, -b, -c, -d),
        "row missing": f"\\begin{{pmatrix}} {a} & {b} \\end{{pmatrix}}",
        "determinant": f"{a * d - b * c}",
    }
    return Specimen("matrix", same["as it is"], same, different)


def inequality(rng: random.Random) -> Specimen:
    """``x <= a`` and its kin."""
    a = rng.randint(2, 30)
    sign, turned, strict = rng.choice((("\\leq", "\\geq", "<"), ("\\geq", "\\leq", ">")))
    same = {
        "as it is": f"x {sign} {a}",
        "short": f"x {sign[:-1]} {a}",
        "turned round": f"{a} {turned} x",
        "negative": f"-x {turned} -{a}",
    }
    different = {
        "strict": f"x {strict} {a}",
        "direction": f"x {turned} {a}",
        "bound one more": f"x {sign} {a + 1}",
        "bound's sign": f"x {sign} -{a}",
        "equation": f"x = {a}",
    }
    return Specimen("inequality", same["as it is"], same, different)


def line(rng: random.Random) -> Specimen:
    """``y = mx + b``."""
    m, b = rng.sample(range(2, 15), 2)
    same = {
        "as it is": f"y = {m}x + {b}",
        "constant first": f"y = {b} + {m}x",
        "no spaces": f"y={m}x+{b}",
        "sides swapped": f"{m}x + {b} = y",
        "implicit": f"y - {m}x = {b}",
        "all on one side": f"{m}x - y + {b} = 0",
        "twice": f"2y = {2 * m}x + {2 * b}",
    }
    different = {
        "slope one more": f"y = {m + 1}x + {b}",
        "intercept one more": f"y = {m}x + {b + 1}",
        "slope's sign": f"y = -{m}x + {b}",
        "intercept's sign": f"y = {m}x - {b}",
        "coefficients swapped": f"y = {b}x + {m}",
        "letters swapped": f"x = {m}y + {b}",
        "no intercept": f"y = {m}x",
        "zero": "0 = 0",
    }
    return Specimen("line", same["as it is"], same, different)


def circle(rng: random.Random) -> Specimen:
    """``x^2 + y^2 = r``."""
    r = rng.randint(2, 50)
    same = {
        "as it is": f"x^2 + y^2 = {r}",
        "turned round": f"y^2 + x^2 = {r}",
        "sides swapped": f"{r} = x^2 + y^2",
        "solved": f"x^{{2}} = {r} - y^{{2}}",
        "twice": f"2x^2 + 2y^2 = {2 * r}",
    }
    different = {
        "radius": f"x^2 + y^2 = {r + 1}",
        "hyperbola": f"x^2 - y^2 = {r}",
        "ellipse": f"x^2 + 2y^2 = {r}",
        "line": f"x + y = {r}",
        "right side alone": f"{r}",
    }
    return Specimen("circle", same["as it is"], same, different)


def plus_minus(rng: random.Random) -> Specimen:
    """Two numbers in one sign."""
    a = rng.randint(2, 60)
    same = {"as it is": f"\\pm {a}", "no space": f"\\pm{a}", "dollars": f"$\\pm {a}$"}
    different = {
        "positive alone": f"{a}",
        "negative alone": f"-{a}",
        "one more": f"\\pm {a + 1}",
        "three": f"\\{{-{a}, 0, {a}\\}}",
    }
    return Specimen("plus minus", same["as it is"], same, different)


def _matrix(style: str, *entries: int | str) -> str:
    a, b, c, d = entries
    return f"\\begin{{{style}}} {a} & {b} \\\\ {c} & {d} \\end{{{style}}}"
