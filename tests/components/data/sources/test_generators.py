from typing import Any

import pytest

from r1flow.components.core.errors import ConfigError, DataError
from r1flow.components.core.schema import Row
from r1flow.components.data.sources import generator_version, gym, read_source
from r1flow.components.recipe.data import SourceConfig


def read(*, seed: int = 0, **settings: object) -> list[Row]:
    source = SourceConfig.model_validate({"size": 3, "verifier": "exact", **settings})
    rows = list(read_source(source, "g", seed=seed, setting="data.sources.g"))
    assert all(isinstance(row, Row) for row in rows)
    return rows  # type: ignore[return-value]


def make(task: str, *, judged: bool = True, **config: Any) -> Any:
    return gym.make_dataset(task=task, config=config, size=3, seed=0, setting="data.sources.g", judged=judged)


@pytest.mark.long
def test_a_task_gives_its_problems_each_with_what_makes_it_again() -> None:
    rows = read(generator="reasoning-gym/chain_sum", config={"max_terms": 3}, skill="sum", seed=7)
    task = gym.make_dataset(task="chain_sum", config={"max_terms": 3}, size=3, seed=7, setting="", judged=True)
    assert [(row.prompt, row.answer) for row in rows] == [(task[n]["question"], task[n]["answer"]) for n in range(3)]
    assert rows[2].verifier_args is not None
    assert rows[2].verifier_args == {
        "task": "chain_sum", "config": {"max_terms": 3}, "seed": 7, "index": 2, "version": rows[2].verifier_args["version"],
    }  # fmt: skip
    assert (rows[2].id, rows[2].verifier, rows[2].skill) == ("g-00003", "exact", "sum")


@pytest.mark.long
def test_problems_do_not_depend_on_the_hash_seed_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for hash_seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        made.append(read(generator="reasoning-gym/ransom_note", size=30))
    assert made[0] == made[1]


def test_a_task_that_draws_from_the_interpreters_generator_is_the_same_every_time() -> None:
    order = {"task": "list_functions", "config": {}, "size": 20, "seed": 0, "setting": "s", "judged": True}
    dataset = gym.make_dataset(**order)
    first, again = ([gym._problem(dataset, index, **order) for index in range(20)] for _ in range(2))
    assert first == again


@pytest.mark.long
def test_what_the_child_refuses_is_the_same_error_here() -> None:
    with pytest.raises(ConfigError, match="'rush_hour' stores no answer"):
        read(generator="reasoning-gym/rush_hour")


def test_a_child_that_ends_early_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("r1flow.components.data.sources.generators.sys.executable", "/bin/true")
    with pytest.raises(DataError, match=r"data\.sources\.g: reasoning-gym's 'chain_sum' ended before its last problem"):
        read(generator="reasoning-gym/chain_sum")


def test_a_task_that_judges_by_a_rule_of_its_own_needs_a_verifier() -> None:
    with pytest.raises(
        ConfigError, match=r"data\.sources\.g\.verifier: (?s:.*)'countdown' judges answers by a rule of its own"
    ):
        make("countdown", judged=False)
    assert len(make("leg_counting", judged=False)) == 3  # compared with its one answer by itself


@pytest.mark.parametrize(
    ("task", "config", "message"),
    [
        ("chain_sums", {}, "did you mean chain_sum"),
        ("chain_sum", {"terms": 3}, r"data\.sources\.g\.config: (?s:.*)terms"),
        ("chain_sum", {"min_terms": 9, "max_terms": 2}, "refuses these settings"),
    ],
)
def test_what_is_no_task_or_no_setting_of_it_is_refused(task: str, config: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(task, **config)


def test_a_generator_is_named_with_where_it_is_from() -> None:
    with pytest.raises(ConfigError, match="give reasoning-gym/TASK"):
        read(generator="chain_sum")


def test_the_packages_version_is_part_of_what_a_generator_is() -> None:
    assert generator_version(SourceConfig(generator="reasoning-gym/chain_sum", size=1)).startswith("reasoning-gym 0.")
    assert generator_version(SourceConfig(generator="tiny/sum", size=1)) == "builtin"
