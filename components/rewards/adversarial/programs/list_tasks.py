"""Tasks on lists of integers."""

import random

from r1flow.components.rewards.adversarial.programs.task import Task


def _numbers(rng: random.Random) -> list[int]:
    return [rng.randint(-50, 50) for _ in range(rng.randint(3, 9))]


SUM_EVEN = Task(
    "sum_even",
    lambda xs: sum(x for x in xs if x % 2 == 0),
    (([],), ([4],), ([3, 5],), ([-2, 7, 8],), ([6, 6, 1, 10],)),
    lambda rng: (_numbers(rng),),
    {
        "loop": """
def sum_even(xs):
    total = 0
    for x in xs:
        if x % 2 == 0:
            total += x
    return total
""",
        "comprehension": """
def sum_even(numbers):
    return sum([n for n in numbers if not n % 2])
""",
        "recursive": """
def sum_even(xs):
    if not xs:
        return 0
    head, *tail = xs
    return (0 if head & 1 else head) + sum_even(tail)
""",
        "filter": "sum_even = lambda xs: sum(filter(lambda x: x % 2 == 0, xs))",
    },
    {
        "odd": """
def sum_even(xs):
    return sum(x for x in xs if x % 2)
""",
        "positions": """
def sum_even(xs):
    return sum(xs[::2])
""",
        "first left out": """
def sum_even(xs):
    return sum(x for x in xs[1:] if x % 2 == 0)
""",
        "absolute": """
def sum_even(xs):
    return sum(abs(x) for x in xs if x % 2 == 0)
""",
        "distinct": """
def sum_even(xs):
    return sum(set(x for x in xs if x % 2 == 0))
""",
    },
)

FIND = Task(
    "find",
    lambda xs, t: xs.index(t) if t in xs else -1,
    (([], 1), ([5], 5), ([1, 3, 5, 7], 1), ([1, 3, 5, 7], 7), ([1, 3, 5, 7], 4), ([2, 4], 9)),
    lambda rng: (sorted(rng.sample(range(60), 8)), rng.randint(0, 60)),
    {
        "bisection": """
def find(xs, t):
    lo, hi = 0, len(xs) - 1
    while lo <= hi:
        mid = (lo + hi) // 2
        if xs[mid] == t:
            return mid
        if xs[mid] < t:
            lo = mid + 1
        else:
            hi = mid - 1
    return -1
""",
        "scan": """
def find(values, wanted):
    for i, value in enumerate(values):
        if value == wanted:
            return i
    return -1
""",
        "library": """
import bisect

def find(xs, t):
    i = bisect.bisect_left(xs, t)
    return i if i < len(xs) and xs[i] == t else -1
""",
        "exception": """
def find(xs, t):
    try:
        return xs.index(t)
    except ValueError:
        return -1
""",
    },
    {
        "boundary": """
def find(xs, t):
    lo, hi = 0, len(xs) - 1
    while lo < hi:
        mid = (lo + hi) // 2
        if xs[mid] == t:
            return mid
        if xs[mid] < t:
            lo = mid + 1
        else:
            hi = mid
    return -1
""",
        "counted from one": """
def find(xs, t):
    return xs.index(t) + 1 if t in xs else -1
""",
        "none for missing": """
def find(xs, t):
    return xs.index(t) if t in xs else None
""",
        "place of insertion": """
import bisect

def find(xs, t):
    return bisect.bisect_left(xs, t)
""",
        "raises": """
def find(xs, t):
    return xs.index(t)
""",
    },
)

MERGE = Task(
    "merge",
    lambda a, b: sorted(a + b),
    (([], []), ([1], []), ([1, 4], [2, 3]), ([1, 1], [1]), ([5, 6], [1])),
    lambda rng: (sorted(_numbers(rng)), sorted(_numbers(rng))),
    {
        "two fingers": """
def merge(a, b):
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out.append(a[i])
            i += 1
        else:
            out.append(b[j])
            j += 1
    return out + a[i:] + b[j:]
""",
        "sorted": """
def merge(a, b):
    return sorted(list(a) + list(b))
""",
        "heap": """
import heapq

def merge(left, right):
    return list(heapq.merge(left, right))
""",
        "recursive": """
def merge(a, b):
    if not a or not b:
        return a or b
    if a[0] <= b[0]:
        return [a[0]] + merge(a[1:], b)
    return [b[0]] + merge(a, b[1:])
""",
    },
    {
        "rest lost": """
def merge(a, b):
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out.append(a[i])
            i += 1
        else:
            out.append(b[j])
            j += 1
    return out
""",
        "distinct": """
def merge(a, b):
    return sorted(set(a) | set(b))
""",
        "joined": """
def merge(a, b):
    return a + b
""",
        "descending": """
def merge(a, b):
    return sorted(a + b, reverse=True)
""",
    },
)

LIST_TASKS = (SUM_EVEN, FIND, MERGE)
