"""Work, seconds and the page's table: by hand, and against the pages."""

import pytest

from r1flow.components.core.devices import price_of, watts_of
from r1flow.components.costs import comparison
from r1flow.components.costs.decoder import DEEPSEEK_V3, Decoder
from r1flow.components.costs.preset import models_of, stages_of
from r1flow.components.costs.work import LONGEST, Lengths, Rates, Work, recipe_work, rl_work, sft_work
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.presets import load_recipe, make_recipe
from tests.docs import page

MODEL = Decoder(
    parameters=0, value=0, body=10, vocabulary=5, hidden=1, intermediate=0, layers=1, queries=0, keys=0, cached=0,
    head_norms=False,
)  # fmt: skip


def config(**given):
    plain = {"steps": 7, "learning_rate": 1e-6, "max_tokens": 4, "prompts_per_step": 2, "samples_per_prompt": 2}
    return GrpoConfig.model_validate(plain | given)


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({}, 3),
        ({"kl_weight": 0.1}, 4),
        ({"mini_batches": 2}, 4),
        ({"mini_batches": 2, "kl_weight": 0.1}, 5),
        ({"algorithm": "ppo"}, 7),
        ({"algorithm": "ppo", "kl_weight": 0.1}, 9),
    ],
)
def test_operations_of_a_stage_by_hand(given, passes):
    # a group: prompt 3, two completions of 4: 2 x 10 x (3 + 8 - 2) + 2 x 5 x 8 = 260; two groups, seven steps
    work = rl_work("r1_zero", config(**given), MODEL, Lengths(3))
    assert work == Work("r1_zero", 7, 7 * 16, 7 * 16, 7 * 520, 7 * passes * 520)


def test_seconds_and_teaching_by_hand():
    recipe = load_recipe("tiny")
    work = sft_work("dev1", recipe.stages["dev1"], 10, MODEL, Lengths(3, 2.0), 60)
    # an example: 2 x 10 x (3 + 2 - 1) + 2 x 5 x 2 = 100; ten of them, four epochs, thrice a forward pass
    assert work == Work("dev1", 4, 0.0, 80.0, 0.0, 4 * 3 * 1000)
    assert Work("x", 1, sampling=100.0, training=300.0).seconds(Rates(50.0, 100.0, "")) == 5.0


def test_every_stage_of_the_recipe_is_planned():
    recipe = load_recipe("tiny")
    names = [work.stage for work in recipe_work(recipe, models_of(recipe), Lengths(11))]
    assert names[:7] == ["r1_zero", "dev1", "dev2", "dev3", "r1", "distilled", "student_rl"]
    assert len([name for name in names if name.startswith("evaluate/")]) == 9
    assert [stage.name for stage in stages_of(recipe, Lengths(11))] == ["r1_zero", "dev2", "r1", "student_rl"]
    assert not list(recipe_work(load_recipe("curate-math"), {}, Lengths()))


def work_of(name, *overrides, **tables):
    """The planned work of one node of ``tiny``, or None."""
    recipe = make_recipe({"preset": "tiny", **tables}, [(k, v) for k, v in overrides])
    return next((w for w in recipe_work(recipe, models_of(recipe), Lengths(11)) if w.stage == name), None)


def test_sft_is_planned_for_all_rows_that_its_settings_allow():
    # 3,000 selected and 1,000 general; three epochs in batches of 64, as long as RL may write: 60 tokens
    assert work_of("dev3").steps == 3 * 63
    assert work_of("dev3").read == 3 * 4000 * 60
    share = ("stages.teaching.mix.general", {"share": 0.25})
    assert work_of("dev3", share).read == work_of("dev3").read  # 3,000 / 0.75 = 4,000
    # 256 chains twice over; of demonstrations nobody knows the length, but for the positions: 128 with the prompt's 11
    assert work_of("dev1", ("stages.dev1.data", ["chains", "chains"])).steps == 4 * 16
    assert work_of("dev1", ("stages.dev1.data", "general")).read == 4 * 1200 * (128 - 11)
    assert sft_work("x", load_recipe("tiny").stages["dev1"], 10, MODEL, Lengths(11), LONGEST).read == 4 * 10 * LONGEST
    mixed = {"chains": {"rows": 30}, "general": {"share": 0.25}}
    assert work_of("dev1", ("stages.dev1.data", mixed)).steps == 4 * 2  # 30 / 0.75 = 40


def test_sft_of_files_is_not_planned_for_nobody_knows_their_rows():
    files = {"traces": {"kind": "demonstrations", "sources": {"t": {"uri": "t.jsonl"}}}}
    assert work_of("dev1", ("stages.dev1.data", "traces"), datasets=files) is None
    files["traces"]["sources"]["t"]["rows"] = 7
    assert work_of("dev1", ("stages.dev1.data", "traces"), datasets=files).steps == 4


def test_pass_rates_are_planned_as_a_stage_and_as_what_difficulty_implies():
    implied = work_of("dev2/rate", ("stages.dev2.difficulty", {"samples": 4}))
    assert (implied.steps, implied.out, implied.training) == (0, 4000 * 4 * 60, 0.0)  # the sums alone
    rated = {"kind": "rate", "model": "dev1", "data": "problems", "samples": 2, "max_tokens": 30}
    assert work_of("rated", stages={"rated": rated}).out == 5200 * 2 * 30
    assert work_of("rated", stages={"rated": rated | {"skills": ["string"]}}).out == 1200 * 2 * 30


def test_rl_shares_its_work_among_ranks():
    engine = ("run.engine", {"kind": "deepspeed", "ranks": 4})
    assert (work_of("dev2", engine).ranks, work_of("dev2").ranks) == (4, 1)
    assert (work_of("dev1", engine).ranks, work_of("evaluate/dev2", engine).ranks) == (1, 1)


def test_only_what_is_measured_is_planned():
    assert work_of("evaluate/base").out == 256 * 16 * 60 + 96 * 4 * 24
    assert work_of("evaluate/base", evaluate={"suites": ["sums"]}, promote={"r1-tiny": False}).out == 256 * 16 * 60
    assert work_of("evaluate/base", evaluate={"models": ["r1"]}) is None


def test_the_page_shows_the_table_that_the_formulas_give():
    assert comparison.table() in page("ARCHITECTURE.md")


def test_the_largest_model_by_hand():
    line = comparison.table().splitlines()[-1]
    # 18 x 671 = 12,078; 2 x 671 = 1,342; 18 x (671 - 0.927 + 0.000) = 12,061; cache 2 x 61 x 576 x 32,768 = 2.30e9
    assert line == (
        "| 671B | 671.00 G | 12,078 GB | 1,342 GB | 13,420 GB | 12,061 GB | 25,481 GB | 1.90 | 168, 319 | 2.30 GB |"
    )
    assert DEEPSEEK_V3.body + DEEPSEEK_V3.head == 37_000_000_000


def test_prices_of_ones_own_stand_before_the_table():
    assert price_of("NVIDIA H100 80GB HBM3", {}) == 2.5
    assert price_of("NVIDIA H100 80GB HBM3", {"H100": 1.0}) == 1.0
    assert price_of("cpu", {"cpu": 0.5}) == 0.5
    assert price_of("NVIDIA T4", {}) is None
    assert price_of("NVIDIA T4", {"T4": 0.3}) == 0.3
    assert watts_of("cpu", {}) == 10
