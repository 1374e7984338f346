import pytest

from components.config.data import SourceConfig
from components.data.schema import Row
from components.data.sources import generator_version, read_source
from components.errors import ConfigError


def read(*, seed: int = 0, **settings: object) -> list[Row]:
    source = SourceConfig.model_validate({"size": 3, **settings})
    rows = list(read_source(source, "g", seed=seed, setting="data.sources.g"))
    assert all(isinstance(row, Row) for row in rows)
    return rows  # type: ignore[return-value]


def test_a_task_gives_its_problems_each_with_what_makes_it_again() -> None:
    from reasoning_gym import create_dataset

    rows = read(generator="reasoning-gym/chain_sum", config={"max_terms": 3}, verifier="exact", skill="sum", seed=7)
    task = create_dataset("chain_sum", seed=7, size=3, max_terms=3)
    assert [(row.prompt, row.answer) for row in rows] == [(task[n]["question"], task[n]["answer"]) for n in range(3)]
    assert rows[2].verifier_args is not None
    assert rows[2].verifier_args == {
        "task": "chain_sum", "config": {"max_terms": 3}, "seed": 7, "index": 2, "version": rows[2].verifier_args["version"],
    }  # fmt: skip
    assert (rows[2].id, rows[2].verifier, rows[2].skill) == ("g-00003", "exact", "sum")
    assert rows == read(
        generator="reasoning-gym/chain_sum", config={"max_terms": 3}, verifier="exact", skill="sum", seed=7
    )


def test_a_task_that_judges_by_a_rule_of_its_own_needs_a_verifier() -> None:
    with pytest.raises(
        ConfigError, match=r"data\.sources\.g\.verifier: (?s:.*)'countdown' judges answers by a rule of its own"
    ):
        read(generator="reasoning-gym/countdown")
    assert len(read(generator="reasoning-gym/leg_counting")) == 3  # compared with its one answer by itself


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generator": "reasoning-gym/chain_sums"}, "did you mean chain_sum"),
        ({"generator": "chain_sum"}, "give reasoning-gym/TASK"),
        ({"generator": "reasoning-gym/chain_sum", "config": {"terms": 3}}, r"data\.sources\.g\.config: (?s:.*)terms"),
        (
            {"generator": "reasoning-gym/chain_sum", "config": {"min_terms": 9, "max_terms": 2}},
            "refuses these settings",
        ),
    ],
)
def test_what_is_no_task_or_no_setting_of_it_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(**settings)


def test_the_packages_version_is_part_of_what_a_generator_is() -> None:
    assert generator_version(SourceConfig(generator="reasoning-gym/chain_sum", size=1)).startswith("reasoning-gym 0.")
    assert generator_version(SourceConfig(generator="tiny/sum", size=1)) == "builtin"
