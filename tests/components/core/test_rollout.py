"""A rollout keeps its numbers small and exact, whatever it was made from."""

from array import array

from tests.fakes.tiny import make_rollout

EXACT = [-0.1, -1 / 3, -1e-300]


def test_token_ids_and_log_probabilities_are_arrays_of_four_and_eight_bytes():
    rollout = make_rollout([5, 6], [7, 8, 2**31 - 1], logprobs=EXACT)
    assert rollout.ids == array("i", [7, 8, 2**31 - 1])
    assert rollout.logprobs == array("d", EXACT)
    assert (rollout.ids.itemsize, rollout.logprobs.itemsize) == (4, 8)


def test_a_rollout_from_lists_is_the_one_from_tuples_and_from_arrays():
    made = [make_rollout(kind([5]), kind([7, 1]), logprobs=(-0.5, -0.25)) for kind in (list, tuple)]
    again = make_rollout(made[0].prompt_ids, made[0].ids, logprobs=made[0].logprobs)
    assert made[0] == made[1] == again
    assert hash(made[0].prompt_ids) == hash((5,))  # prompts are told apart by it
