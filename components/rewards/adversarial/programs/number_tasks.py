"""Tasks on integers."""

from math import gcd

from r1flow.components.rewards.adversarial.programs.task import Task


def _fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


GREATEST_DIVISOR = Task(
    "greatest_divisor",
    gcd,
    ((12, 18), (7, 13), (48, 36), (5, 5), (9, 3)),
    lambda rng: (rng.randint(1, 300), rng.randint(1, 300)),
    {
        "Euclid": """
def greatest_divisor(a, b):
    while b:
        a, b = b, a % b
    return a
""",
        "recursive": """
def greatest_divisor(a, b):
    return a if b == 0 else greatest_divisor(b, a % b)
""",
        "library": """
import math

def greatest_divisor(a, b):
    return math.gcd(a, b)
""",
        "search": """
def greatest_divisor(a, b):
    for d in range(min(a, b), 0, -1):
        if a % d == 0 and b % d == 0:
            return d
""",
    },
    {
        "multiple": """
import math

def greatest_divisor(a, b):
    return a * b // math.gcd(a, b)
""",
        "smaller": """
def greatest_divisor(a, b):
    return min(a, b)
""",
        "boundary": """
def greatest_divisor(a, b):
    for d in range(min(a, b) - 1, 0, -1):
        if a % d == 0 and b % d == 0:
            return d
    return 1
""",
        "one": """
def greatest_divisor(a, b):
    return 1
""",
    },
)

FIBONACCI = Task(
    "fibonacci",
    _fibonacci,
    ((0,), (1,), (2,), (7,), (30,)),
    lambda rng: (rng.randint(3, 60),),
    {
        "loop": """
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
""",
        "memo": """
from functools import lru_cache

@lru_cache(None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
""",
        "list": """
def fibonacci(n):
    values = [0, 1]
    while len(values) <= n:
        values.append(values[-1] + values[-2])
    return values[n]
""",
        "doubling": """
def _pair(n):
    if n == 0:
        return 0, 1
    a, b = _pair(n // 2)
    c, d = a * (2 * b - a), a * a + b * b
    return (d, c + d) if n % 2 else (c, d)

def fibonacci(n):
    return _pair(n)[0]
""",
    },
    {
        "one step more": """
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n + 1):
        a, b = b, a + b
    return a
""",
        "start": """
def fibonacci(n):
    a, b = 1, 1
    for _ in range(n):
        a, b = b, a + b
    return a
""",
        "zero": """
def fibonacci(n):
    if n == 0:
        return 1
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
""",
        "float": """
def fibonacci(n):
    return ((1 + 5 ** 0.5) / 2) ** n / 5 ** 0.5
""",
    },
)

IS_PRIME = Task(
    "is_prime",
    lambda n: n > 1 and all(n % d for d in range(2, n)),
    ((0,), (1,), (2,), (4,), (9,), (25,), (29,), (49,)),
    lambda rng: (rng.randint(3, 400),),
    {
        "trial": """
def is_prime(n):
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True
""",
        "all": """
def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))
""",
        "sieve": """
def is_prime(n):
    marks = [True] * (n + 2)
    marks[0] = marks[1] = False
    for d in range(2, n + 1):
        if marks[d]:
            for m in range(2 * d, n + 1, d):
                marks[m] = False
    return marks[n]
""",
    },
    {
        "one is prime": """
def is_prime(n):
    return n > 0 and all(n % d for d in range(2, n))
""",
        "square root left out": """
def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n ** 0.5)))
""",
        "two is not": """
def is_prime(n):
    return n > 2 and all(n % d for d in range(2, n))
""",
        "odd": """
def is_prime(n):
    return n == 2 or (n > 1 and n % 2 == 1)
""",
        "always": """
def is_prime(n):
    return True
""",
    },
)

NUMBER_TASKS = (GREATEST_DIVISOR, FIBONACCI, IS_PRIME)
