"""Dual numbers: a value in plain Python floats with its exact derivatives, so that an oracle needs no tensor."""

import math


class Dual:
    """``value`` with ``slopes``: the derivative by each named variable."""

    def __init__(self, value, slopes=None):
        self.value = value
        self.slopes = slopes or {}

    @staticmethod
    def of(number):
        return number if isinstance(number, Dual) else Dual(number)

    def _scaled(self, factor):
        return {name: factor * slope for name, slope in self.slopes.items()}

    def __add__(self, other):
        other = Dual.of(other)
        slopes = dict(self.slopes)
        for name, slope in other.slopes.items():
            slopes[name] = slopes.get(name, 0.0) + slope
        return Dual(self.value + other.value, slopes)

    def __mul__(self, other):
        other = Dual.of(other)
        product = Dual(0.0, self._scaled(other.value)) + Dual(0.0, other._scaled(self.value))
        return Dual(self.value * other.value, product.slopes)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -Dual.of(other)

    def __rsub__(self, other):
        return Dual.of(other) - self

    def __truediv__(self, number):
        return self * (1.0 / number)

    __radd__, __rmul__ = __add__, __mul__

    def exp(self):
        value = math.exp(self.value)
        return Dual(value, self._scaled(value))


def least(*numbers):
    """The smallest by value, with its own slopes; a plain number has none."""
    return min(map(Dual.of, numbers), key=lambda n: n.value)


def greatest(*numbers):
    return max(map(Dual.of, numbers), key=lambda n: n.value)
