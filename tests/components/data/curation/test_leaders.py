import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.data.curation.leaders import MOST_LEADERS, buckets, lead


def test_buckets_hold_rows_that_share_a_key_and_a_split() -> None:
    keys = np.array([7, 7, 8, 7, 8], np.uint64)
    split = np.array([1, 1, 1, 2, 2], np.uint64)
    row, bucket = buckets([keys], np.arange(5), [split])
    assert row.tolist() == [0, 1]
    assert len(set(bucket.tolist())) == 1
    row, _ = buckets([keys], np.array([0, 2, 3, 4]))
    assert row.tolist() == [0, 2, 3, 4]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_rows_join_the_first_leader_they_resemble_as_in_the_quadratic_loop(values: list[int]) -> None:
    def alike(row: int, other: int) -> float | None:
        return 1.0 if abs(values[row] - values[other]) <= 3 else None

    row, bucket = buckets([np.zeros(len(values), np.uint64)], np.arange(len(values)))
    groups = lead(row, bucket, alike)
    leaders: list[int] = []
    expected: dict[int, int] = {}
    for index in range(len(values)):
        found = next((other for other in leaders if alike(index, other)), None)
        if found is None:
            leaders.append(index)
        else:
            expected[index] = found
    assert groups.leader == expected
    assert not set(groups.leader.values()) & set(groups.leader)


def test_a_bucket_that_everything_falls_into_is_bounded_and_counted() -> None:
    num = 4 * MOST_LEADERS
    row, bucket = buckets([np.zeros(num, np.uint64)], np.arange(num))
    groups = lead(row, bucket, lambda row, other: None)
    assert groups.compared <= num * MOST_LEADERS
    assert groups.crowded == 1
