"""Documents of many lengths in few rows of bounded length: best fit, longest first."""

from bisect import bisect_left, insort
from collections.abc import Sequence


def best_fit(lengths: Sequence[int], micro_tokens: int) -> list[list[int]]:
    """Indices grouped so that every group's lengths add up to at most ``micro_tokens`` (a longer one stands alone).

    Longest first, each into the fullest row that still has room for it; rows that are equally full are taken in the order
    they were opened. A function of the lengths alone. Never more than 11/9 of the least number of rows, plus one.

    >>> best_fit([3, 9, 4, 8], micro_tokens=12)
    [[1, 0], [3, 2]]
    """
    rows: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, row), ascending
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = bisect_left(rooms, (lengths[index], -1))
        if place < len(rooms):
            room, row = rooms.pop(place)
        else:
            room, row = micro_tokens, len(rows)
            rows.append([])
        rows[row].append(index)
        insort(rooms, (max(0, room - lengths[index]), row))
    return rows
