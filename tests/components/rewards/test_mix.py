import pytest

from r1flow.components.rewards.mix import mix


def test_totals_are_weighted_sums() -> None:
    components = {"accuracy": [1.0, 0.0], "format": [1.0, 1.0], "language": [0.5, 0.0]}
    assert mix(components, {"accuracy": 1.0, "format": 0.5, "language": 2.0}) == [2.5, 0.5]


def test_a_component_without_a_weight_counts_nothing() -> None:
    assert mix({"accuracy": [1.0], "language": [0.5]}, {"accuracy": 1.0}) == [1.0]


def test_an_unscored_answer_masks_the_total_and_an_unweighted_gap_does_not() -> None:
    components = {"accuracy": [None, 1.0, 1.0], "format": [1.0, 1.0, None], "language": [1.0, None, 1.0]}
    assert mix(components, {"accuracy": 1.0, "format": 1.0, "language": 0.0}) == [None, 2.0, None]
    assert mix({"accuracy": [None], "format": [1.0]}, {"format": 1.0}) == [None]


def test_a_weight_without_a_component_is_an_error() -> None:
    with pytest.raises(ValueError, match="acuracy"):
        mix({"accuracy": [1.0]}, {"acuracy": 1.0})


def test_components_of_unequal_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        mix({"accuracy": [1.0], "format": [1.0, 0.0]}, {"accuracy": 1.0})
