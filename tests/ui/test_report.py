"""The report in a real browser: on a desk and on a phone, with what models really wrote and with what they might write."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from r1flow.components.evals.report.page import write_report
from r1flow.components.store.rollouts import lake
from tests.components.evals.report.report_inputs import evaluation
from tests.components.evals.test_aha_counts import group
from tests.conftest import Ran, need_program
from tests.runs import stages
from tests.ui.test_servers import APPEARS_MS, CHROMIUM

WIDTHS = (1280, 390)
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202e<b>wait</b>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = need_program("chromium")
    with sync_playwright() as playwright:
        expect.set_options(timeout=APPEARS_MS)
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(smoke: Ran) -> Path:
    made = stages(smoke.summary)["report"]["ref"]["fingerprint"]
    (page,) = (smoke.home / "store" / "artifacts" / "report" / made[:16]).rglob("report.html")
    return page


def opened(browser: Browser, path: Path, width: int = 1280, fragment: str = "") -> tuple[Page, list[str]]:
    """The page, and every request and error that it made."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    page.on("request", lambda request: said.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.goto(path.as_uri() + fragment)
    return page, [line for line in said if not line.startswith(path.as_uri())]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_request_leaves_the_page_and_nothing_overflows(browser: Browser, report: Path, width: int) -> None:
    page, said = opened(browser, report, width)
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    over = """[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide, svg, pre')
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(over) == []
    assert report.stat().st_size < 10_000_000
    page.close()


def test_rollouts_are_filtered_by_stage_step_reward_and_problem(browser: Browser, report: Path) -> None:
    page, said = opened(browser, report)
    data = json.loads(page.locator("#rollout-data").text_content() or "")
    names = [entry["name"] for entry in data]
    assert page.locator("#rollout-stage option").all_text_contents() == names
    page.select_option("#rollout-stage", label=names[1])
    groups = data[1]["groups"]
    expect(page.locator("#rollout-count")).to_have_text(f"group 1 of {len(groups)}")
    expect(page.locator(".completion")).to_have_count(len(groups[0]["completions"]))
    assert page.locator(".completion pre").first.text_content() == "".join(groups[0]["completions"][0]["text"])
    page.click("#rollout-next")
    expect(page.locator("#rollout-count")).to_have_text(f"group 2 of {len(groups)}")
    last = groups[-1]
    page.select_option("#rollout-step", str(last["step"]))
    page.fill("#rollout-problem", last["problem"])
    expect(page.locator("#rollout-group .note").last).to_contain_text(f"Step {last['step']}, problem {last['problem']}")
    page.fill("#rollout-problem", "no such problem")
    expect(page.locator("#rollout-count")).to_have_text("no group fits these filters")
    page.fill("#rollout-problem", "")
    page.select_option("#rollout-step", "")
    best = max(c["reward"] for entry in groups for c in entry["completions"])
    page.fill("#rollout-least", str(best))
    fitting = [entry for entry in groups if any(c["reward"] >= best for c in entry["completions"])]
    expect(page.locator("#rollout-count")).to_have_text(f"group 1 of {len(fitting)}")
    dim = sum(c["reward"] < best for c in fitting[0]["completions"])
    expect(page.locator(".completion.aside")).to_have_count(dim)
    assert said == []
    page.close()


def test_a_token_has_the_colour_of_its_advantage(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    colour = "e => getComputedStyle(e).backgroundColor"
    page.select_option("#rollout-kind", "mixed")
    above = page.locator(".tokens.up span").first.evaluate(colour)
    below = page.locator(".tokens.down span").first.evaluate(colour)
    assert len({above, below, "rgba(0, 0, 0, 0)"}) == 3
    expect(page.locator(".tokens.up span").first).to_have_attribute("title", re.compile(r"^advantage \+\d"))
    page.close()


def test_a_link_leads_to_its_completion(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report)
    page.locator("#lineage a").first.click()
    expect(page.locator(".completion.marked")).to_have_count(1)
    stage, step, problem, sample = page.url.split("#rollout/")[1].split("/")
    expect(page.locator("#rollout-group .note").last).to_contain_text(f"Step {step}, problem {problem}")
    expect(page.locator(".completion.marked .mark b")).to_contain_text(f"#{sample}")
    expect(page.locator("#rollout-stage")).to_have_value(stage)
    page.close()


def test_what_a_model_wrote_is_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    inputs = {f"evaluate/{m}": evaluation(tmp_path / m, m, problems=4, say=EVIL) for m in ("base", "r1")}
    lake.write_shard(
        tmp_path / "zero" / "lake" / lake.shard_name(1, 1), [(1, [group(EVIL, (EVIL, True), (EVIL, False))])]
    )
    inputs["r1_zero"] = tmp_path / "zero"
    write_report(inputs, {"run": EVIL, "recipe": EVIL, "description": EVIL}, tmp_path / "report.html")
    for width in WIDTHS:
        page, said = opened(browser, tmp_path / "report.html", width)
        assert said == []
        assert page.locator(".completion pre").first.text_content() == EVIL
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 2
        assert page.title() != "owned"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator("#aha a").first.click()  # the first occurrence of "wait"
        expect(page.locator(".completion.marked")).to_have_count(1)
        page.close()


def test_the_page_reads_without_scripts_and_in_print(browser: Browser, report: Path, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    expect(page.locator("#rollouts noscript")).to_be_visible()
    expect(page.locator("#rollout-browser")).to_be_hidden()
    context.close()
    page, _ = opened(browser, report)
    page.emulate_media(media="print")
    expect(page.locator(".tools").first).to_be_hidden()
    expect(page.locator(".completion").first).to_be_visible()
    page.close()
