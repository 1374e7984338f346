"""How far apart two computations may be and still count as the same; without torch, for those who only compare."""

GRADIENT = 1e-5
"""``||g' - g|| / ||g||`` between float32 and float64. Rounding alone is 1e-6 here; a wrong denominator is 1e-2 and more."""
