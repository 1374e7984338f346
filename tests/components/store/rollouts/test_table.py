"""The table of sampled completions: spread over the run, small, readable."""

import json

import pytest

from r1flow.components.core.rollout import Group
from r1flow.components.store.rollouts import lake
from r1flow.components.store.rollouts.table import completions_table
from tests.fakes.tiny import make_rollout


def write(directory, steps, prompts=6, samples=3):
    def group(step, prompt):
        rollouts = [
            make_rollout(
                [prompt],
                [4, 5, 6][: 1 + sample],
                prompt_id=f"p{prompt}",
                sample=sample,
                text=f"{step}.{prompt}.{sample}",
                reward=None if sample == 1 else float(sample),
                rewards={"accuracy": 1.0, "format": None},
            )
            for sample in range(samples)
        ]
        return Group(tuple(rollouts), (0.5,) * samples)

    for first in range(1, steps + 1, 4):
        last = min(first + 3, steps)
        rows = [(step, [group(step, prompt) for prompt in range(prompts)]) for step in range(first, last + 1)]
        lake.write_shard(directory / lake.shard_name(first, last), rows)


def decode(ids):
    return "/".join(map(str, ids))


@pytest.mark.parametrize(
    ("steps", "shown"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 3, 4, 5, 6]), (26, [1, 6, 11, 16, 21, 26])]
)
def test_steps_are_spread_over_the_run_with_its_first_and_last(tmp_path, steps, shown):
    write(tmp_path, steps)
    table = completions_table(tmp_path, decode)
    assert [row[0] for row in table["data"]] == [step for step in shown for _ in range(8)]


def test_a_line_shows_prompt_completion_and_what_was_found_out_about_it(tmp_path):
    write(tmp_path, 1, prompts=1)
    table = json.loads(json.dumps(completions_table(tmp_path, decode)))
    assert table == {
        "columns": [
            *("step", "prompt", "completion", "tokens"),
            *("reward", "advantage", "verdict", "finished", "accuracy", "format"),
        ],
        "data": [
            [1, "0", "1.0.0", 1, 0.0, 0.5, "CORRECT", True, 1.0, None],
            [1, "0", "1.0.1", 2, None, 0.5, "CORRECT", True, 1.0, None],
        ],
    }


def test_a_lake_without_steps_makes_an_empty_table(tmp_path):
    assert completions_table(tmp_path, decode)["data"] == []
