"""The table of a suite from problems made by hand."""

from r1flow.components.evals.metrics import Problem, Sample, suite_metrics


def sample(correct, vote=None, **changed):
    found = {"format_ok": True, "language": 1.0, "length": 10, "finished": True, "reflections": 0, "scored": True}
    return Sample(correct, vote, **(found | changed))


def problem(name, *samples, level=None, contaminated=None):
    return Problem(name, level, contaminated, samples)


def test_every_figure_of_a_small_suite():
    found = suite_metrics(
        [
            problem("a", sample(True, "g"), sample(True, "g", length=30), level=1),
            problem("b", sample(False, "x", finished=False, format_ok=False), sample(True, "g", language=0.5), level=2),
        ]
    )
    assert found["pass_at_1"] == 0.75
    assert (found["pass_at_2"], found["cons_at_2"]) == (1.0, 0.5)
    assert (found["format"], found["truncated"], found["language"]) == (0.75, 0.25, 0.875)
    assert (found["length"], found["length_median"], found["length_p95"]) == (15, 10, 30)
    assert (found["pass_at_1_level_1"], found["pass_at_1_level_2"]) == (1.0, 0.5)
    assert found["problems"] == 2
    for name in ("pass_at_1", "pass_at_1_sample", "pass_at_2", "cons_at_2", "format"):
        assert 0 <= found[f"{name}_low"] < found[f"{name}_high"] <= 1
    assert not {"contaminated", "pass_at_1_clean"} & set(found), "nobody has looked"


def test_pass_at_k_comes_for_powers_of_two_and_for_k_itself():
    found = suite_metrics([problem("a", *[sample(True, "g")] * 6)], votes=False)
    assert {name for name in found if name.startswith("pass_at_") and name[8:].isdecimal()} == {
        *("pass_at_1", "pass_at_2", "pass_at_4", "pass_at_6")
    }
    assert not any(name.startswith("cons") for name in found)


def test_problems_that_were_seen_in_training_are_counted_and_left_out_beside():
    seen, new = (problem(name, sample(name == "seen", name)) for name in ("seen", "new"))
    flagged = [Problem(p.id, None, p.id == "seen", p.samples) for p in (seen, new)]
    found = suite_metrics(flagged)
    assert (found["pass_at_1"], found["contaminated"], found["pass_at_1_clean"]) == (0.5, 1.0, 0.0)
    assert "pass_at_1_clean" not in suite_metrics(flagged[:1])


def test_what_was_not_measured_is_left_out():
    assert "truncated" not in suite_metrics([problem("a", sample(True, "g", finished=None))])
