"""Overrides, and errors that name the setting and the mend."""

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe, split_settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("grpo.stesp=3", "grpo.stesp: unknown setting; did you mean steps?"),
        ("sed=3", "sed: unknown setting; did you mean seed?"),
        ("suites.sums.sample=3", "suites.sums.sample: unknown setting; did you mean samples?"),
        ("cold_start.sft.epoch=3", "cold_start.sft.epoch: unknown setting; did you mean epochs?"),
        ("base.xyz=3", "base.xyz: unknown setting; known here: dtype, revision, shape, source"),
        ("grpo.learning_rate=nan", "grpo.learning_rate: input should be a finite number (got nan)"),
        ("grpo.learning_rate=inf", "grpo.learning_rate: input should be a finite number (got inf)"),
        ("grpo.learning_rate=0", "grpo.learning_rate: input should be greater than 0 (got 0)"),
        ("grpo.steps=0", "grpo.steps: input should be greater than or equal to 1 (got 0)"),
        ("grpo.steps=-5", "grpo.steps: input should be greater than or equal to 1 (got -5)"),
        (
            "grpo.steps=2.5",
            "grpo.steps: input should be a valid integer, got a number with a fractional part (got 2.5)",
        ),
        ("grpo.samples_per_prompt=1", "grpo.samples_per_prompt: input should be greater than or equal to 2 (got 1)"),
        ("gate.max_drop=1.5", "gate.max_drop: input should be less than or equal to 1 (got 1.5)"),
        ("suites.sums.top_p=0", "suites.sums.top_p: input should be greater than 0 (got 0)"),
        (
            "prompt.format=html",
            "prompt.format: input should be 'think', 'think_answer' or 'think_answer_strict' (got 'html')",
        ),
        ("grpo=3", "grpo: input should be a valid dictionary or instance of GrpoConfig (got 3)"),
        ("seed=9223372036854775808", "seed: input should be less than 9223372036854775808"),
        ("grpo.steps.more=3", "--set grpo.steps.more: steps is a value, not a section"),
        ("grpo.steps", "--set 'grpo.steps': write it as section.field=value"),
        ("=3", "--set '=3': write it as section.field=value"),
    ],
)
def test_a_wrong_override_is_named_with_its_mend(override, message):
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "override", ["pretrain.warmup_steps=-1", "pretrain.weight_decay=-1", "pretrain.learning_rate=nan"]
)
def test_pre_training_is_checked_as_every_other_stage(override):
    with pytest.raises(ConfigError, match=override.split("=")[0]):
        load_recipe("tiny-base", [override])


def test_every_wrong_setting_gets_a_line():
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", ["grpo.steps=0", "sft2.epochs=many", "run.lane=2"])
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["run.lane", "grpo.steps", "sft2.epochs"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("r1_zero.steps=7", 7),
        (" r1_zero.steps = 7 ", 7),
        ("r1_zero.learning_rate=1e-5", 1e-5),
        ("r1_zero.drop_truncated=true", True),
        ("registered_name=r1-mine", "r1-mine"),
        ('registered_name="quoted name"', "quoted name"),
        ("registered_name=a=b", "a=b"),
        ("description=", ""),
        ('reflection_words=["wait", "aha"]', ("wait", "aha")),
        ("data.problems.sum=12", 12),
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


@pytest.mark.parametrize("text", ["[" * 20_000, "9" * 5000, "{" * 20_000])
def test_monstrous_values_are_refused_by_name(text):
    with pytest.raises(ConfigError, match=r"^grpo\.steps: "):
        load_recipe("tiny", [f"grpo.steps={text}"])


def test_an_unknown_preset_is_told_what_is_near_or_there():
    with pytest.raises(ConfigError, match=r"no preset 'tinny'; did you mean tiny\?"):
        load_recipe("tinny")
    with pytest.raises(ConfigError, match=r"no preset 'zzz'; there are .*tiny"):
        load_recipe("zzz")


def test_a_file_of_ones_own_may_build_on_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "tiny"\nseed = 5\n[grpo]\nsteps = 2\n')
    assert load_recipe(str(path), ["sft2.epochs=9"]) == load_recipe("tiny", ["seed=5", "grpo.steps=2", "sft2.epochs=9"])


@pytest.mark.parametrize("content", [b"preset = ", b"preset = '\xff'", b"a = " + b"[" * 20_000])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.toml: not valid TOML"):
        load_recipe(str(path))
    with pytest.raises(ConfigError, match="no preset"):
        load_recipe(str(tmp_path / "missing.toml"))


def test_settings_of_this_machine_are_told_apart_from_the_recipe():
    found = split_settings(["store=s3://b/p", "grpo.steps=1", "home=/x=y"], {"store", "home"})
    assert found == ({"store": "s3://b/p", "home": "/x=y"}, ["grpo.steps=1"])
