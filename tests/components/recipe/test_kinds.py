"""The table of kinds, and kinds of one's own: a class that is found by its name, checked, and dumped with all its fields."""

import hashlib
import importlib
import json
import re
import sys
from itertools import count

import pytest

import r1flow.components.programs as programs
from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.graph import ADDRESS
from r1flow.components.recipe.kinds import IMPLIED, LAKES, MODELS, STAGES, gives_of, kind_of, settings_of, source_digest
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.recipe.recipe import Recipe
from r1flow.components.recipe.stages import RlStage, SftStage, Stage
from r1flow.components.store.manifest import KIND
from tests.fakes.own_kind import SOURCE as OWN

NUMBERS = count()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes a module under a name that no other test has, and says the name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text=OWN, name=""):
        module = name or f"own_kinds_{next(NUMBERS)}"
        (tmp_path / f"{module}.py").write_text(text)
        sys.modules.pop(module, None)
        importlib.invalidate_caches()
        return module

    return write


def over_tiny(**stages):
    return make_recipe({"preset": "tiny", "stages": stages})


def test_every_kind_has_its_program():
    for kind in (*STAGES.values(), *IMPLIED.values()):
        assert importlib.util.find_spec(f"{programs.__name__}.{kind.program}"), kind.name
    assert not set(STAGES) & set(IMPLIED)


def test_what_gives_a_model_is_an_artifact_that_holds_one():
    kinds = [*STAGES.values(), *IMPLIED.values()]
    assert {kind.artifact for kind in kinds if "model" in kind.gives} == set(MODELS) - {"grpo"}
    assert {kind.artifact for kind in kinds if "rollouts" in kind.gives} == set(LAKES) - {"grpo"}


def test_only_what_computes_with_a_model_holds_a_device():
    assert {kind.name for kind in (*STAGES.values(), *IMPLIED.values()) if kind.needs_device} == {
        "pretrain", "sft", "rl", "rate", "gradient", "evaluate",
    }  # fmt: skip
    ranks = {kind.name: kind.ranks for kind in (*STAGES.values(), *IMPLIED.values()) if kind.ranks != "one"}
    assert ranks == {"rl": "all", "gradient": "machine"}


def test_a_kind_of_the_table_is_found_by_its_name():
    assert settings_of("rl") is RlStage
    assert (gives_of(RlStage), gives_of(SftStage)) == (("model", "rollouts"), ("model",))
    tiny = load_recipe("tiny")
    assert kind_of(tiny.stages["r1"]) is STAGES["rl"]
    assert source_digest(tiny.stages["r1"]) == ""


def test_a_kind_of_ones_own_is_a_part_of_the_graph(own):
    module = own()
    recipe = over_tiny(short={"kind": f"{module}:Trim", "data": "chains", "judge": "base"}, dev1={"data": "short"})
    node = recipe.graph.nodes["short"]
    assert dict(node.inputs) == {"data": "chains", "judge": "base"}
    assert (node.kind.program, node.kind.artifact, node.kind.version) == ("own", "own_trim", "3")
    assert (node.kind.gives, node.kind.reads, node.kind.needs_device) == (
        ("demonstrations",),
        ("seed", "prompt"),
        False,
    )
    assert dict(recipe.graph.nodes["dev1"].inputs)["data"] == "short"
    assert "short" in recipe.graph.ancestors(recipe.graph.promoted)


@pytest.mark.parametrize(
    ("name", "artifact"), [("Rl", "own_rl"), ("_Trim2b", "own_trim_b"), ("T" * 90, "own_" + "t" * 60)]
)
def test_its_artifact_has_an_address_and_is_none_of_the_table_s(own, name, artifact):
    module = own(OWN.replace("Trim", name))
    kind = over_tiny(short={"kind": f"{module}:{name}", "data": "chains"}).graph.nodes["short"].kind
    assert kind.artifact == artifact
    assert ADDRESS.fullmatch(f"{artifact}/0123abcd")
    assert re.fullmatch(KIND, artifact)


def test_its_fields_are_dumped_and_read_back(own):
    module = own()
    recipe = over_tiny(short={"kind": f"{module}:Trim", "data": "chains", "words": 9})
    dumped = json.loads(recipe.model_dump_json())
    assert dumped["stages"]["short"]["words"] == 9
    assert Recipe.model_validate(dumped) == recipe
    with pytest.raises(ValueError, match="frozen"):
        recipe.stages["short"].words = 3


def test_its_module_is_what_its_digest_is_of(own):
    module = own()
    stage = over_tiny(short={"kind": f"{module}:Trim", "data": "chains"}).stages["short"]
    assert source_digest(stage) == hashlib.sha256(OWN.encode()).hexdigest()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            "no_such_module_here:Trim",
            "no_such_module_here cannot be imported (ModuleNotFoundError: No module named 'no_such_module_here'); fix it, "
            "install it, or put its folder on PYTHONPATH",
        ),
        (
            "{module}:Trimm",
            "Trimm is no subclass of r1flow.components.recipe.stages.Stage with a method run(self, spec)",
        ),
        ("{module}:Other", "Other is no subclass of r1flow.components.recipe.stages.Stage"),
        ("{module}:Idle", "Idle is no subclass of r1flow.components.recipe.stages.Stage with a method run(self, spec)"),
        ("{module}:", "is no subclass of r1flow.components.recipe.stages.Stage"),
        (":Trim", "cannot be imported (ValueError: Empty module name)"),
    ],
)
def test_a_kind_that_cannot_be_had_is_refused_by_its_field(own, kind, message):
    kind = kind.format(module=own())
    with pytest.raises(ConfigError) as caught:
        over_tiny(short={"kind": kind, "data": "chains"})
    assert str(caught.value).startswith(f"stages.short.kind: kind '{kind}': ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["def f(:\n", "raise RuntimeError('not here')\n", "1 / 0\n", "import nothing_of_that_name\n"]
)
def test_a_module_that_fails_is_named(own, text):
    with pytest.raises(ConfigError, match=r"stages\.short\.kind: .*cannot be imported"):
        over_tiny(short={"kind": f"{own(text)}:Trim", "data": "chains"})


def test_settings_of_it_are_checked_as_all_others(own):
    module = own()
    with pytest.raises(ConfigError) as caught:
        over_tiny(short={"kind": f"{module}:Trim", "word": 3}, dev1={"epoch": 2})
    assert sorted(str(caught.value).splitlines()) == [
        "stages.dev1.epoch: unknown setting; did you mean epochs?",
        "stages.short.data: field required; there are general, chains, teaching",
        "stages.short.word: unknown setting; did you mean words?",
    ]
    with pytest.raises(ConfigError, match=r"stages\.short\.data: 'base' gives model, and demonstrations is due"):
        over_tiny(short={"kind": f"{module}:Trim", "data": "base"})
    with pytest.raises(ConfigError, match=r"stages.short.words: input should be a valid integer.*\(got 'many'\)"):
        over_tiny(short={"kind": f"{module}:Trim", "data": "chains", "words": "many"})


def test_what_others_could_name_it_for_is_told():
    assert Stage.gives == Stage.reads == ()
    assert Stage.version == "1"
