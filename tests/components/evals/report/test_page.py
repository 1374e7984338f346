"""The report of a run is one page: complete, self-contained, safe to open, the same every time."""

import base64
import hashlib
import html
import json
import re
import subprocess
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from r1flow.components.evals.compare import problem_means
from r1flow.components.evals.report.browser import SCRIPT
from r1flow.components.evals.report.curation import clean_table
from r1flow.components.evals.report.names import names_of
from r1flow.components.evals.report.page import write_report
from r1flow.components.evals.report.tables import waterfall
from r1flow.components.programs.report import main
from tests.components.evals.report.report_inputs import evaluation, full_run
from tests.conftest import need_program

VOID = {"meta", "br", "path", "rect", "use", "col", "input"}
SECTIONS = (
    "stages",
    "levels",
    "curves",
    "aha",
    "samples",
    "rollouts",
    "rivals",
    "data",
    "selection",
    "time",
    "cost",
    "gate",
    "conformance",
    "origin",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return full_run(tmp_path_factory.mktemp("run"), problems=12, steps=0.15)


@pytest.fixture(scope="module")
def page(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(*run, path)
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Checks that tags balance; collects ids, text and what a browser would load or run."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids, self.text, self.loads = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids += [given["id"]] if "id" in given else []
        addresses = [given[k] for k in ("src", "href", "xlink:href", "data", "action") if k in given]
        self.loads += [a for a in addresses if not a.startswith("#")]
        self.loads += [tag] if tag in ("script", "iframe", "object", "embed", "link", "form", "img") else []
        self.loads += [k for k in given if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def spec(tmp_path, inputs, notes):
    places = {
        "out": str(tmp_path / "out"),
        "work": str(tmp_path / "work"),
        "store": "file:///nowhere",
        "checkpoints": "none",
    }
    return {
        "stage": "report",
        "seed": 0,
        "config": {},
        "notes": notes,
        "inputs": {k: str(v) for k, v in inputs.items()},
    } | places


def test_the_program_writes_the_page_and_counts_its_plots(run, page, tmp_path):
    inputs, notes = run
    assert main(json.loads(json.dumps(spec(tmp_path, inputs, notes)))) == {
        "stages": len(inputs),
        "plots": page.count("<svg"),
    }
    assert (tmp_path / "out" / "report.html").read_text() == page


def test_the_page_is_well_formed_and_every_id_is_unique(page):
    ids = Reader(page).ids
    assert len(ids) == len(set(ids))
    assert [name for name in ids if name in SECTIONS] == list(SECTIONS)


def test_the_page_loads_nothing_and_runs_its_own_script_alone(page):
    assert Reader(page).loads == ["script", "script"]  # data, and what leafs through them
    data, script = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    assert json.loads(data)
    assert script == SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert "url(http" not in page
    assert "@import" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_headline_holds_the_figures_of_the_evaluations(run, page):
    inputs, _ = run
    found = [json.loads((inputs[f"evaluate/{m}"] / "metrics.json").read_text()) for m in ("base", "r1_zero", "r1")]
    base, zero, r1 = (metrics["sums/pass_at_1"] for metrics in found)
    line = page[page.index("pass@1 on sums: Base") :]
    line = line[: line.index("<")]
    assert line.startswith(f"pass@1 on sums: Base {base:.2f} \u2192 R1-Zero {zero:.2f} \u2192 Dev1 ")
    assert line.endswith(f" \u2192 R1 {r1:.2f}")


def test_the_page_says_what_every_part_must_say(run, page):
    _, notes = run
    text = re.sub(r"\s+", " ", " ".join(Reader(page).text))
    for wanted in ("77.9", "59.0", "15.6", "table 3", "other tasks and another scale", "only the shape"):
        assert wanted in text
    for champion in notes["champions"]:
        assert champion["model"] in text
        for reason in champion["reasons"]:
            assert reason in text
    for stage in notes["stages"]:
        assert stage["fingerprint"] in text
        assert stage["uri"] in text
    assert "never training problems" in text
    assert "too little of the target language" in text


def test_the_same_artifacts_give_the_same_bytes(run, page, tmp_path):
    inputs, notes = run
    write_report(dict(reversed(inputs.items())), notes, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == page


def test_what_a_model_wrote_is_text_and_never_markup(tmp_path):
    evil = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>&lt;b&gt;\x00\u202e"
    inputs = {f"evaluate/{m}": evaluation(tmp_path / m, m, problems=4, say=evil) for m in ("base", "r1")}
    notes = {
        "run": evil,
        "recipe": evil,
        "description": evil,
        "titles": {"base": evil, "r1": evil},
        "main_line": ["base", "r1"],
        "starts": {"base": "base", "r1": "base"},
        "seed": 0,
        "champions": [],
        "stages": [],
    }
    write_report(inputs, notes, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert Reader(page).loads == []
    assert "<script" not in page
    assert html.escape(evil.replace("\x00", "\u2400"), quote=False).replace('"', "&#34;") in page


@pytest.mark.parametrize(
    "stages",
    [
        [],
        ["problems"],
        ["general", "problems", "base", "r1_zero", "evaluate/base", "evaluate/r1_zero"],
        ["evaluate/student_rl"],
        ["evaluate/distilled", "evaluate/student_rl"],
        ["dev1", "teaching"],
        ["r1", "evaluate/r1"],
    ],
)
def test_stages_that_are_not_there_are_left_out(run, tmp_path, stages):
    inputs, notes = run
    notes = notes | {"stages": [stage for stage in notes["stages"] if stage["name"] in stages]}
    write_report({stage: inputs[stage] for stage in stages}, notes, tmp_path / "report.html")
    ids = Reader((tmp_path / "report.html").read_text()).ids
    assert ("data" in ids) == ("problems" in stages)
    assert ("selection" in ids) == ("teaching" in stages)
    assert ("rivals" in ids) == any(stage.endswith(("distilled", "student_rl")) for stage in stages)
    assert ("stages" in ids) == any(stage.startswith("evaluate/") for stage in stages)


@pytest.mark.parametrize(
    "left_out", ["problems", "r1", "evaluate/base", "evaluate/r1", "evaluate/distilled", "teaching"]
)
def test_one_missing_stage_leaves_the_rest(run, tmp_path, left_out):
    inputs, notes = run
    write_report({k: v for k, v in inputs.items() if k != left_out}, notes, tmp_path / "report.html")
    assert "origin" in Reader((tmp_path / "report.html").read_text()).ids


def test_a_run_without_notes_has_a_page_too(run, tmp_path):
    inputs, _ = run
    write_report(inputs, {}, tmp_path / "report.html")
    assert "stages" in Reader((tmp_path / "report.html").read_text()).ids


def test_every_dataset_has_a_part_and_so_has_what_its_rows_still_meet(page):
    text = re.sub(r"\s+", " ", " ".join(Reader(page).text))
    data = text[text.index(" Training data ") : text.index(" Rejection sampling SFT data ")]
    assert data.index(" problems What became") < data.index(" general What became")
    assert "strings 2 of 96 variant 2 strings-string-3-00000, strings-string-4-00001" in data
    assert "pass@1 on the problems that no training row meets" in data
    assert "strings without 2" in data
    assert "sums without" not in data


def test_the_clean_share_is_that_of_the_other_problems(run):
    inputs, notes = run
    names = names_of(notes)
    evaluations = {"r1": inputs["evaluate/r1"]}
    table = clean_table(evaluations, [inputs["problems"], inputs["general"]], names)
    met = {"strings-string-3-00000", "strings-string-4-00001"}
    means = problem_means(inputs["evaluate/r1"], "strings")
    clean = [share for problem, share in means.items() if problem not in met]
    assert len(means) - len(clean) == 2
    [(name, [cell])] = table["rows"]
    assert name == "R1"
    assert cell.startswith(f"{sum(clean) / len(clean):.3f} (")
    assert clean_table(evaluations, [inputs["problems"]], names) is None


def test_without_the_paper_s_stages_there_is_no_paper_s_table(run, tmp_path):
    inputs, notes = run
    chosen = {"evaluate/base": inputs["evaluate/base"], "evaluate/mine": inputs["evaluate/r1"]}
    own = {"main_line": ["base", "mine"], "starts": {"base": "base", "mine": "base"}}
    write_report(chosen, notes | own, tmp_path / "report.html")
    text = " ".join(Reader((tmp_path / "report.html").read_text()).text)
    assert "The same stages in the paper" not in text
    assert "MATH-500" not in text


def test_the_waterfall_adds_up():
    counts = {"read": 5200, "quarantined": 3, "duplicates": 214, "contaminated": 37, "kept": 4946, "evaluation": 352}
    bars = waterfall(counts)
    assert [bar.amount[-5:].lstrip("\u2212=\u2009") for bar in bars] == ["5,200", "3", "214", "37", "4,946"]
    assert bars[0].width == pytest.approx(sum(bar.width for bar in bars[1:]))
    for above, below in pairwise(bars[1:-1]):
        assert below.start + below.width == pytest.approx(above.start)
    assert bars[-2].start == pytest.approx(bars[-1].width)


def test_a_step_that_the_report_has_no_name_for_is_shown_with_its_own():
    bars = waterfall({"read": 10, "too_rude": 4, "kept": 6, "evaluation": 3})
    assert [(bar.label, bar.kind) for bar in bars] == [
        ("read from the sources", ""), ("too rude", "loss"), ("kept for training", "kept"),
    ]  # fmt: skip


def test_the_page_fits_a_phone(page, tmp_path):
    need_program("chromium")
    script = "onload=()=>{document.title=document.querySelector('iframe').contentDocument.documentElement.scrollWidth}"
    frame = f'<iframe width="420" height="800" srcdoc="{html.escape(page)}"></iframe>'
    (tmp_path / "phone.html").write_text(
        f"<meta charset=utf-8><title>?</title>{frame}<script>{script}</script>", "utf-8"
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command = ["chromium", *flags, "--dump-dom", f"file://{tmp_path / 'phone.html'}"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    width = int(re.search(r"<title>(\d+)</title>", shown)[1])
    assert width <= 420


def test_the_bill_and_the_paper_s_stand_there_with_their_arithmetic(page):
    text = " ".join(Reader(page).text)
    for shown in (
        "(101 + 5 + 41) thousand h = 147,000 h x $2",
        "$294,000",
        "2,788,000 h x $2",
        "85 times",
        "27.3 times",
        "27.4 times",
    ):
        assert shown in text
    assert "cpu: 0.04 an hour and 10 W for each device" in text


def test_the_plan_stands_beside_what_was_measured(page):
    text = " ".join(Reader(page).text)
    for shown in ("Plan and measurement", "sets the rate", "+10 %", "-5 %", "+25 %", "1,638,400"):
        assert shown in text


def test_deviations_from_the_paper_stand_there_with_reasons(page):
    text = " ".join(Reader(page).text)
    assert "a small model takes larger steps" in text
    assert "no reason is given" not in text
