"""Start models looked at in a child: what it finds, and how a model or a template that means harm ends."""

import json
import re
import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from r1flow.components.core.errors import ConfigError, ModelError
from r1flow.components.core.models import BUILTIN
from r1flow.components.data.chat import TEMPLATES
from r1flow.components.data.tinyworld.model import build_tokenizer
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.inspect_model import Limits
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.tasks import inspection
from r1flow.tasks.inspection import inspect
from r1flow.tasks.place import Place
from r1flow.tasks.session import PRELOAD
from tests.fakes.families import random_model
from tests.fakes.tokenizers import CHATML, byte_level
from tests.runs import python

LIMITS = Limits(cpu_s=2, memory=1 << 30)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The hub's cache on the disk, as tests have no network; empty."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def server(hub):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(hub))
        server = ForkServer.start(PRELOAD)
    with closing(server):
        yield server


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(BUILTIN["tiny-base"], tmp_path / "model")


@pytest.fixture
def look(tmp_path, server):
    def one(source, template="tokenizer", **rest):
        models = {"base": {"source": str(source), "prompt": {"template": template, **rest}}}
        return inspect(models, work=tmp_path / "work", server=server, limits=LIMITS)["base"]

    return one


def chat(model: Path, template: str) -> Path:
    (model / "chat_template.jinja").write_text(template)
    return model


def test_a_model_is_described(tmp_path, server):
    models = {
        "base": {"source": "builtin:tiny-base", "revision": None, "prompt": {"template": "tiny"}, "dtype": "bfloat16"},
        "student": {"source": "builtin:tiny-student"},
    }
    found = inspect(models, work=tmp_path / "work", server=server)
    base, student = found["base"], found["student"]
    assert (base.directory, base.model_type) == (BUILTIN["tiny-base"], "qwen3")
    assert (base.end_tokens, base.trained_end) == (("<eos>",), "<eos>")
    assert (base.positions, student.positions) == (128, 128)
    assert base.weight_bytes == 2 * base.parameters
    assert student.weight_bytes == 4 * student.parameters
    assert base.parameters > student.parameters > 50_000
    assert base.template_sha256 != student.template_sha256
    assert (base.opens_thought, student.opens_thought) == (False, False)
    assert not (tmp_path / "work").exists()


def test_a_run_knows_its_models_and_how_long_they_can_be(tmp_path, server, monkeypatch):
    settings = Settings(home=tmp_path)
    told = {"settings": settings, "store": open_store(settings.store_uri), "run_id": "r", "cancelled": None}
    recipe = load_recipe("tiny")
    run = SimpleNamespace(recipe=recipe, server=lambda: server, place=Place("cpu"), **told)
    monkeypatch.setattr(inspection, "current_session", lambda: run)
    inspection.know_models(recipe.graph)
    assert set(run.place.digests) == set(run.place.parameters) == {"base", "student"}
    run.recipe = load_recipe("tiny", ["student_rl.max_tokens=128"])
    with pytest.raises(ConfigError, match=r"stages\.student_rl\.max_tokens: 128 .* the 128 positions of student"):
        inspection.know_models(run.recipe.graph)


def test_a_run_that_asks_vllm_for_what_it_cannot_serve_is_refused_with_the_setting(tmp_path, server, monkeypatch):
    source = tmp_path / "mixture"
    random_model("mixtral").save_pretrained(source)
    build_tokenizer((TEMPLATES / "tiny.jinja").read_text()).save_pretrained(source)
    settings = Settings(home=tmp_path)
    told = {"settings": settings, "store": open_store(settings.store_uri), "run_id": "r", "cancelled": None}
    for sampler in ("auto", "vllm"):
        recipe = load_recipe("tiny", [f"base.source={source}", f"run.sampler={sampler}"])
        run = SimpleNamespace(recipe=recipe, server=lambda: server, place=Place("cpu"), **told)
        monkeypatch.setattr(inspection, "current_session", lambda run=run: run)
        if sampler == "auto":
            inspection.know_models(recipe.graph)
            assert run.place.unserved == {"base"}
        else:
            with pytest.raises(
                ConfigError, match=r"^run\.sampler: vLLM's CPU build cannot serve the model base: .*mixtral"
            ):
                inspection.know_models(recipe.graph)


def test_a_chat_template_is_the_model_s_own(model, look):
    told = CHATML.replace("assistant\n", "assistant\n{% if brief is defined %}<think>\n</think>\n{% endif %}")
    quiet, brief = look(chat(model, told)), look(model, variables={"brief": True})
    assert [(facts.opens_thought, facts.closes_thought) for facts in (quiet, brief)] == [(False, False), (False, True)]
    plain = look(chat(model, CHATML))
    thinking = look(chat(model, CHATML.replace("assistant\n", "assistant\n<think>\n")))
    assert (plain.opens_thought, thinking.opens_thought) == (False, True)
    assert plain.template_sha256 != thinking.template_sha256


def test_all_ends_are_said_and_a_turn_that_none_of_them_closes_is_refused_with_the_setting(model, look):
    byte_level(eos="<|endoftext|>").save_pretrained(model)
    edit(model / "generation_config.json", eos_token_id=[2, 0])
    facts = look(model)
    assert (facts.end_tokens, facts.trained_end) == (("<|endoftext|>", "<|im_end|>"), "<|im_end|>")
    edit(model / "generation_config.json", eos_token_id=0)
    with pytest.raises(ModelError) as caught:
        look(model)
    setting = 'models.base.prompt.end_tokens = ["<|im_end|>", "<|endoftext|>"]'
    assert re.match(r"models\.base\.prompt\.end_tokens: the chat template closes .*'<\|im_end\|>'", str(caught.value))
    assert str(caught.value).endswith(f"set {setting}")
    assert look(model, end_tokens=["<|im_end|>", "<|endoftext|>"]).trained_end == "<|im_end|>"
    with pytest.raises(ModelError, match=r"^models\.base\.prompt\.end_tokens: '<\|eot\|>' is not one token"):
        look(model, end_tokens=["<|eot|>"])


def test_a_hub_s_model_is_fetched_by_the_child(model, look, hub, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    kept = hub / "models--org--name"
    shutil.copytree(model, kept / "snapshots" / commit)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *a, **k: pytest.fail("this process asked the hub"))
    assert look("org/name", "tiny").directory == kept / "snapshots" / commit
    with pytest.raises(ModelError, match=r"^models\.base\.source: hub model org/missing .*HF_TOKEN"):
        look("org/missing", "tiny")


@pytest.mark.parametrize("family", ["rwkv", "mamba2"])
def test_a_family_that_cannot_be_served_is_refused_before_its_weights_are_fetched(model, look, hub, family):
    config = json.dumps({"model_type": family})
    (model / "config.json").write_text(config)
    kept, commit = hub / f"models--org--{family}", "0123456789abcdef0123456789abcdef01234567"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text(commit)
    (kept / "snapshots" / commit).mkdir(parents=True)
    (kept / "snapshots" / commit / "config.json").write_text(config)
    for source in (model, f"org/{family}"):
        with pytest.raises(
            ModelError, match=rf"^models\.base\.source: .*models of type '{family}' cannot be sampled: "
        ):
            look(source, "tiny")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda m: shutil.rmtree(m), r"is not a directory here"),
        (lambda m: (m / "config.json").unlink(), r"config\.json is missing"),
        (lambda m: edit(m / "config.json", model_type="of the future"), r"of the future"),
        (lambda m: (m / "config.json").write_text("[" * 10**6), r"config\.json is not a JSON object|RecursionError"),
        (lambda m: (m / "tokenizer.json").write_text("{"), r"\w+Error: .*; check it, or give another model"),
        (lambda m: edit(m / "tokenizer_config.json", eos_token=None), r"no eos_token; completions would never end"),
        (lambda m: (m / "model.safetensors").write_bytes(b"\xff" * 64), r"model\.safetensors: .*header too large"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_the_fix(model, look, damage, said):
    damage(model)
    with pytest.raises(ModelError, match=rf"(?s)^models\.base\.source: .*({said})"):
        look(model, "tiny")


LONG = "{% for i in range(99999) %}"
HOSTILE = {
    "endless": (LONG * 3 + "{% endfor %}" * 3, r"was stopped after 2 s of processor time"),
    "one long call": ("{{ 9 ** (9 ** 9) }}", r"was stopped after 2 s of processor time"),
    "large": ("{{ 'a' * 10**10 }}", r"takes more than 1 GiB of memory"),
    "growing": (
        "{% set s = namespace(t='aa') %}{% for i in range(99) %}{% set s.t = s.t * 2 %}{% endfor %}{{ s.t }}",
        r"takes more than 1 GiB of memory|was stopped after 2 s of processor time",  # whichever comes first
    ),
    "recursive": ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", r"RecursionError"),
    "nested": ("{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}", r""),
    "escaping": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", r"SecurityError"),
    "refusing": ("{{ raise_exception('only the system speaks here') }}", r"only the system speaks here"),
    "broken": ("{% for %}", r"TemplateSyntaxError"),
    "without the question": ("You are a helpful assistant.", r"template 'tokenizer' leaves the question out"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_chat_template_ends_in_an_error_that_names_it(model, look, name):
    template, reason = HOSTILE[name]
    with pytest.raises(ModelError) as caught:
        look(chat(model, template))
    message = str(caught.value)
    assert re.match(r"models\.base\.prompt\.template: ", message), message
    assert re.search(reason, message), message
    assert message.endswith("; name another: r1_zero, tiny"), message


def test_a_missing_chat_template_and_an_unknown_one_name_those_that_there_are(model, look):
    (model / "chat_template.jinja").unlink(missing_ok=True)
    edit(model / "tokenizer_config.json", chat_template=None)
    with pytest.raises(
        ModelError, match=r"^models\.base\.prompt\.template: the model has no chat template; name one of r1_zero"
    ):
        look(model)
    with pytest.raises(
        ConfigError, match=r"^models\.base\.prompt\.template: there is no template 'chatty'; there are r1_zero"
    ):
        look(model, "chatty")
    assert look(model, "r1_zero").parameters
    assert (TEMPLATES / "r1_zero.jinja").exists()


def test_the_caller_imports_neither_torch_nor_transformers(tmp_path):
    code = """
import sys
from pathlib import Path
from r1flow.components.recipe.presets import load_recipe
from r1flow.components.recipe.settings import Settings
from r1flow.components.store.objects import open_store
from r1flow.tasks import inspection
from r1flow.tasks.inspection import inspect
from r1flow.tasks.place import Place
models = {"base": {"source": "builtin:tiny-base", "prompt": {"template": "tiny"}}}
assert inspect(models, work=Path(sys.argv[1]), server=None)["base"].parameters
print(sorted({"torch", "transformers", "huggingface_hub", "tokenizers"} & set(sys.modules)))
"""
    assert python(tmp_path, code, str(tmp_path / "work")) == "[]"
