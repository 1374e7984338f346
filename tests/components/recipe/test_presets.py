"""Overrides, and errors that name the setting and the fix."""

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe, split_settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dev2.stesp=3", "stages.dev2.stesp: unknown setting; did you mean steps?"),
        ("stages.dev2.stesp=3", "stages.dev2.stesp: unknown setting; did you mean steps?"),
        ("problems.sources.sum.siz=3", "datasets.problems.sources.sum.siz: unknown setting; did you mean size?"),
        ("teaching.mix.general.row=3", "stages.teaching.mix.general.row: unknown setting; did you mean rows?"),
        ("sed=3", "sed: unknown setting; did you mean seed?"),
        ("suites.sums.sample=3", "suites.sums.sample: unknown setting; did you mean samples?"),
        ("dev1.epoch=3", "stages.dev1.epoch: unknown setting; did you mean epochs?"),
        (
            "base.xyz=3",
            "models.base.xyz: unknown setting; known here: dtype, language, prompt, revision, shape, source, title",
        ),
        ("dev2.learning_rate=nan", "stages.dev2.learning_rate: input should be a finite number (got nan)"),
        ("dev2.learning_rate=inf", "stages.dev2.learning_rate: input should be a finite number (got inf)"),
        ("dev2.learning_rate=0", "stages.dev2.learning_rate: input should be greater than 0 (got 0)"),
        ("dev2.steps=0", "stages.dev2.steps: input should be greater than or equal to 1 (got 0)"),
        ("dev2.steps=-5", "stages.dev2.steps: input should be greater than or equal to 1 (got -5)"),
        (
            "dev2.steps=2.5",
            "stages.dev2.steps: input should be a valid integer, got a number with a fractional part (got 2.5)",
        ),
        ("dev2.samples_per_prompt=1", "dev2.samples_per_prompt: input should be greater than or equal to 2 (got 1)"),
        ("promote.r1-tiny.max_drop=1.5", "promote.r1-tiny.max_drop: input should be less than or equal to 1 (got 1.5)"),
        ("suites.sums.top_p=0", "suites.sums.top_p: input should be greater than 0 (got 0)"),
        (
            "base.prompt.format=html",
            "models.base.prompt.format: input should be 'think', 'think_answer' or 'think_answer_strict' (got 'html')",
        ),
        ("dev2=3", "stages.dev2: a stage is a table with its kind and what that needs (got 3)"),
        (
            "dev2.rewards=3",
            "stages.dev2.rewards: input should be a valid dictionary or instance of RewardWeights (got 3)",
        ),
        ("seed=9223372036854775808", "seed: input should be less than 9223372036854775808"),
        ("dev2.steps.more=3", "--set dev2.steps.more: steps is a value, not a section"),
        ("dev2.steps", "--set 'dev2.steps': write it as name.field=value, such as --set run.threads=2"),
        ("=3", "--set '=3': write it as name.field=value"),
    ],
)
def test_a_wrong_override_is_named_with_its_mend(override, message):
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", [override])
    assert message in str(caught.value)


@pytest.mark.parametrize("override", ["base.warmup_steps=-1", "base.weight_decay=-1", "student.learning_rate=nan"])
def test_pre_training_is_checked_as_every_other_stage(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        load_recipe("tiny-base", [override])


def test_every_wrong_setting_gets_a_line():
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", ["dev2.steps=0", "dev3.epochs=many", "run.thread=2"])
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "run.thread", "stages.dev2.steps", "stages.dev3.epochs",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("stages.r1_zero.steps=7", 7),
        (" stages.r1_zero.steps = 7 ", 7),
        ("stages.r1_zero.learning_rate=1e-5", 1e-5),
        ("stages.r1_zero.drop_truncated=true", True),
        ("name=r1-mine", "r1-mine"),
        ('name="quoted name"', "quoted name"),
        ("name=a=b", "a=b"),
        ("description=", ""),
        ('models.base.language.reflection_words=["wait", "aha"]', ("wait", "aha")),
        ("datasets.problems.sources.sum.size=12", 12),
    ],
)
def test_values_are_toml_where_they_can_be_and_text_otherwise(text, value):
    found = load_recipe("tiny", [text])
    for name in text.partition("=")[0].strip().split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    assert found == value


def test_the_last_override_wins_and_the_preset_stays_as_it_is():
    assert load_recipe("tiny", ["seed=1", "seed=2"]).seed == 2
    assert load_recipe("tiny").seed == 0


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("r1_zero.steps=7", "stages.r1_zero.steps=7"),
        ("base.source=here", "models.base.source=here"),
        ("problems.sources.sum.size=12", "datasets.problems.sources.sum.size=12"),
        ("teaching.from=r1_zero", "stages.teaching.from=r1_zero"),
        ("general.title=All", "datasets.general.title=All"),
    ],
)
def test_the_name_of_a_part_says_which_table_it_stands_in(short, whole):
    assert load_recipe("tiny", [short]) == load_recipe("tiny", [whole]) != load_recipe("tiny")


def test_a_registered_name_may_have_dots_in_quotes():
    found = load_recipe("tiny", ['promote."r1-1.5b".model=r1', 'promote."r1-1.5b".suite=strings'])
    assert found.promote["r1-1.5b"].suite == "strings"


@pytest.mark.parametrize("text", ["[" * 20_000, "9" * 5000, "{" * 20_000])
def test_monstrous_values_are_refused_by_name(text):
    with pytest.raises(ConfigError, match=r"^stages\.dev2\.steps: "):
        load_recipe("tiny", [f"dev2.steps={text}"])


def test_an_unknown_preset_is_told_what_is_near_or_there():
    with pytest.raises(ConfigError, match=r"no preset 'tinny'; did you mean tiny\?"):
        load_recipe("tinny")
    with pytest.raises(ConfigError, match=r"no preset 'zzz'; there are .*tiny"):
        load_recipe("zzz")


def test_a_file_of_ones_own_may_build_on_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "tiny"\nseed = 5\n[stages.dev2]\nsteps = 2\n')
    expected = load_recipe("tiny", ["seed=5", "dev2.steps=2", "dev3.epochs=9"])
    assert load_recipe(str(path), ["dev3.epochs=9"]) == expected.model_copy(update={"preset": "tiny"})


@pytest.mark.parametrize("content", [b"preset = ", b"preset = '\xff'", b"a = " + b"[" * 20_000])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.toml: not valid TOML"):
        load_recipe(str(path))
    with pytest.raises(ConfigError, match="no preset"):
        load_recipe(str(tmp_path / "missing.toml"))


def test_settings_of_this_machine_are_told_apart_from_the_recipe():
    found = split_settings(["store=s3://b/p", "dev2.steps=1", "home=/x=y"], {"store", "home"})
    assert found == ({"store": "s3://b/p", "home": "/x=y"}, ["dev2.steps=1"])
