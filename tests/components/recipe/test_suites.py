"""The suites that are shipped: every file loads, in a recipe too, and what a recipe says goes over it."""

import pytest

from r1flow.cli.suites import list_suites
from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.suites import SuiteConfig, suite_names

PAPERS_K = {"aime24": 64, "gpqa-diamond": 64, "math500": 16, "livecodebench": 8}
TINY = {"tiny-sums", "tiny-strings"}


def with_suite(**suite: object) -> Recipe:
    return make_recipe({"name": "mine", "suites": {"exam": suite}})


@pytest.mark.parametrize("name", suite_names())
def test_every_file_is_a_whole_suite_with_the_papers_protocol(name: str) -> None:
    suite = SuiteConfig(known=name)
    assert suite.version == "1"
    if name in TINY:
        assert suite.source.generator == name.replace("-", "/").removesuffix("s")
        return
    assert (suite.temperature, suite.top_p, suite.max_tokens) == (0.6, 0.95, 32768)
    assert suite.samples == PAPERS_K.get(name, suite.samples)
    assert suite.source.licence
    assert suite.source.language
    assert suite.source.uri is None  # where a file lies is this machine's
    assert suite.prompt != "{prompt}"


def test_a_recipe_names_a_suite_and_says_only_what_is_other() -> None:
    suite = with_suite(known="gsm8k", samples=2, source={"uri": "test.jsonl"}).suites["exam"]
    file = SuiteConfig(known="gsm8k")
    assert (suite.samples, suite.source.uri) == (2, "test.jsonl")
    assert suite.source.model_copy(update={"uri": None}) == file.source
    assert suite.model_copy(update={"samples": 4, "source": file.source}) == file


def test_a_suites_name_is_read_and_forgotten_so_that_a_recipe_survives_json() -> None:
    recipe = load_recipe("curate-math", ["suites.gsm8k.source.uri=a.jsonl"])
    dumped = recipe.model_dump(mode="json")
    assert "known" not in dumped["suites"]["gsm8k"]
    assert Recipe.model_validate(dumped) == recipe


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ({"known": "gsm8"}, "suites.exam: no suite 'gsm8'; did you mean gsm8k?"),
        ({"known": "zzz"}, "suites.exam: no suite 'zzz'; there are aime24, aime25"),
        ({"known": 3}, "suites.exam.known: input should be a valid string"),
        (
            {"source": {"uri": "x", "weight": 2}},
            "suites.exam: weight and rows have no meaning for the source of a suite",
        ),
        ({"source": {"uri": "x", "rows": 2}}, "suites.exam: weight and rows have no meaning for the source of a suite"),
        ({"prompt": "Say it."}, "suites.exam: prompt must hold {prompt}"),
        ({"knwon": "gsm8k"}, "suites.exam.knwon: unknown setting; did you mean known?"),
    ],
)
def test_a_suite_that_makes_no_sense_is_refused_by_name(suite: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_suite(**suite)
    assert message in str(caught.value)


def test_a_generator_makes_as_many_problems_as_the_suite_has() -> None:
    assert with_suite(known="tiny-sums", problems=16).suites["exam"].source.size == 16
    assert with_suite(known="tiny-sums", problems=16, source={"size": 40}).suites["exam"].source.size == 40
    assert SuiteConfig(source={"generator": "tiny/sum"}).source.size == 256  # type: ignore[arg-type]


def test_the_command_lists_them_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    list_suites()
    printed = capsys.readouterr().out
    assert all(f" {name} " in printed for name in suite_names())
    assert "reasoning-gym/chain_sum" in printed
