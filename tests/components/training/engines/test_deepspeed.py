"""DeepSpeed's engine steps as the plain one does, in one rank and in two, whatever ZeRO partitions."""

import pytest

from r1flow.components.core.errors import ConfigError
from r1flow.components.processes.keeper import run_program
from r1flow.components.training.engines.deepspeed import Zero

STAGES = [0, 1, 2, 3]
RANKS = [
    pytest.param(1, marks=pytest.mark.extra, id="one rank"),
    pytest.param(2, marks=pytest.mark.long, id="two ranks"),
]


@pytest.fixture(scope="module", params=RANKS)
def found(request, tmp_path_factory):
    """All metrics of one start: importing DeepSpeed takes longer than what is tested."""
    work = tmp_path_factory.mktemp(f"ranks-{request.param}")
    spec = {"ranks": request.param, "work": str(work)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        metrics = run_program("tests.fakes.zero_program", spec, work=work / "keeper", server=None, timeout_s=300)
    return metrics | {"ranks": request.param}


@pytest.mark.parametrize("stage", STAGES)
def test_three_steps_equal_the_single_engines(found, stage):
    metrics = found[f"zero {stage}"]
    exact = 1e-6 if found["ranks"] == 1 and stage == 0 else 1e-5
    assert metrics["weights"] <= exact
    assert metrics["moments"] <= exact
    assert metrics["norms"] <= 1e-6
    assert metrics["counters"] == [3.0]


@pytest.mark.parametrize("stage", STAGES)
def test_going_on_from_a_checkpoint_in_fresh_objects_ends_in_the_same_bits(found, stage):
    assert found[f"zero {stage}"]["resumed"]
    assert stage == 0 or found[f"bfloat16 {stage}"]["resumed"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_checkpoint_can_be_continued_by_the_single_engine(found, stage):
    assert found[f"zero {stage}"]["resumed alone"] <= 1e-5


@pytest.mark.parametrize("name", [*(f"zero {s}" for s in STAGES), *(f"bfloat16 {s}" for s in STAGES[1:])])
def test_every_rank_serves_the_same_whole_weights_and_they_are_the_masters(found, name):
    assert found[name]["served"] == 1
    assert found[name]["copies"]
    assert found[name]["dtypes"] == [f"torch.{'bfloat16' if 'bfloat16' in name else 'float32'}"]


def test_stage_3_really_partitions_the_weights(found):
    assert [found[f"zero {stage}"]["empty"] for stage in STAGES] == [False, False, False, True]


@pytest.mark.parametrize("stage", STAGES[1:])
def test_bfloat16_stays_near_the_single_engine_on_fp32_masters(found, stage):
    metrics = found[f"bfloat16 {stage}"]
    assert 1e-6 < metrics["weights"] < 2e-2
    assert metrics["counters"] == [3.0]


@pytest.mark.parametrize("name", ["checkpointing", "packed"])
def test_recomputing_activations_changes_nothing_also_on_packed_rows(found, name):
    assert found[name]["weights"] <= 1e-5


def test_activations_are_recomputed_in_evaluation_mode_too(found):
    assert found["passes"] == [1, 2]


def test_log_probabilities_without_a_gradient_come_out_of_partitioned_weights(found):
    assert found["frozen"] <= 1e-5


@pytest.mark.parametrize("name", ["offload 2", "offload 3"])
def test_offloading_changes_nothing(found, name):
    assert found[name]["weights"] <= 1e-5
    assert found[name]["served"] == 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_gradient_that_is_not_finite_on_one_rank_is_skipped_and_counted_on_all(found, stage):
    told = found["not finite"][str(stage)]
    what = [False, False, True, True, True, [False, False, False], 6, "4 gradients in a row were not finite ("]
    assert told == [what] * found["ranks"]


def test_the_batch_gave_the_ranks_uneven_numbers_of_micro_batches(found):
    assert found["turns"] == ([[7, 7]] if found["ranks"] == 1 else [[4, 4], [4, 3]])


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"stage": 0, "dtype": "bfloat16"}, r"engine\.zero_stage: .* stage 1 keeps fp32 sums"),
        ({"stage": 0, "offload": "optimizer"}, r"engine\.offload: stage 0 partitions nothing"),
        ({"stage": 2, "offload": "all"}, r"engine\.offload: weights leave the device under stage 3 only"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_with_the_reason(wrong, says):
    with pytest.raises(ConfigError, match=says):
        Zero(**wrong)
