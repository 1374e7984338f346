"""Plots take their colours from the page, keep their ids apart, and have the same bytes every time."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from r1flow.components.evals.report.curves import MAX_POINTS, axis_top, curve_plot, series, shape_plot, thin
from r1flow.components.evals.report.figures import curve_figures
from r1flow.components.evals.report.names import Names

POINTS = [(float(step), step / 40) for step in range(41)]


def curve(name="reward-r1"):
    return curve_plot(name, POINTS, top=1.0, label='from 0 to 1 & "more"')


def shape():
    points = [(0.3, 0.2, 0.4), (0.9, 0.85, 0.95), (0.7, 0.6, 0.8)]
    return shape_plot("shape-0", ["Base", "Zero", "Dev1"], points, top=1.0, digits=2, label="shape")


def test_the_same_figures_give_the_same_bytes():
    assert curve() == curve()
    assert shape() == shape()


def test_a_drawing_has_no_colour_of_its_own_and_no_address():
    for svg in (curve(), shape()):
        assert not re.search(r"#[0-9a-fA-F]{6}\b|rgb\(", svg)
        assert "var(--accent)" in svg
        assert "http" not in svg
        assert "<style" not in svg


def test_two_drawings_share_no_id():
    first, second = (set(re.findall(r'\bid="([^"]+)"', curve(name))) for name in ("reward-r1", "reward-dev2"))
    assert first
    assert not first & second


def test_references_inside_a_drawing_hold():
    svg = shape()
    wanted = set(re.findall(r'xlink:href="#([^"]+)"|url\(#([^)]+)\)', svg))
    assert {a or b for a, b in wanted} <= set(re.findall(r'\bid="([^"]+)"', svg))


def test_a_drawing_is_well_formed_and_says_what_it_shows():
    root = ET.fromstring(curve().replace("xlink:", ""))
    assert root.get("aria-label") == 'from 0 to 1 & "more"'
    assert root.get("role") == "img"
    assert {"0", "40", "1", "0.5", "step"} <= {e.text for e in root.iter("text")}


def test_one_step_is_still_a_plot():
    assert "<svg" in curve_plot("x", [(0.0, 0.0)], top=1.0, label="x")


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=1000))
def test_thinning_bounds_the_points_and_keeps_the_range(points):
    kept, size = thin(points)
    assert 1 <= len(kept) <= MAX_POINTS
    assert -(-len(points) // size) == len(kept)
    values = [value for _, value in points]
    slack = 1e-6
    assert min(values) - slack <= min(v for _, v in kept)
    assert max(v for _, v in kept) <= max(values) + slack


@given(st.floats(1e-9, 1e12))
def test_an_axis_ends_at_a_round_number_close_above(largest):
    assert largest * 0.99999 <= axis_top(largest) <= 2.1 * largest


def test_a_kl_that_nobody_measured_is_not_drawn():
    row = {"step": 1, "reward": 1.0, "entropy": 0.0}
    histories = {"r1_zero": [row | {"kl": 0.0}], "dev2": [row | {"kl": 0.0}, row | {"step": 2, "kl": 0.001}]}
    names = Names({"r1_zero": "R1-Zero", "dev2": "Dev2 (reasoning RL)"})
    drawn = {figure.curve.key: [panel.title for panel in figure.panels] for figure in curve_figures(histories, names)}
    assert drawn == {"reward": ["R1-Zero", "Dev2"], "kl": ["Dev2"], "entropy": ["R1-Zero", "Dev2"]}


def test_the_start_model_stands_at_step_0():
    history = [{"step": 0, "preflight/length": 12.0}, {"step": 1, "length": 13.0}, {"step": 2}]
    assert series(history, "length") == [(0, 12.0), (1, 13.0)]
