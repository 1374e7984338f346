"""Start models counted from their config.json alone: in a child, once for each config, and for a plan of any family."""

import json
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from transformers import AutoModelForCausalLM

import r1flow.tasks.counting as counting
from r1flow.components.core.errors import ModelError
from r1flow.components.costs.decoder import decoder_of
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.count_model import main as count_model
from r1flow.components.programs.inspect_model import Limits
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.store.objects import open_store
from r1flow.tasks.counting import count_models
from r1flow.tasks.session import PRELOAD
from tests.components.costs.test_built import FAMILIES
from tests.fakes.gguf_file import small_llama, write_gguf
from tests.fakes.s3_server import CREDENTIALS, s3_behind_a_proxy
from tests.fakes.tokenizers import byte_level
from tests.runs import python, r1

LIMITS = Limits(cpu_s=2, memory=1 << 30)


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """A directory for each family that holds its config.json and nothing else."""
    root = tmp_path_factory.mktemp("models")
    for name, config in FAMILIES.items():
        config.save_pretrained(root / name)
        assert [path.name for path in (root / name).iterdir()] == ["config.json"]
    return root


@pytest.fixture(scope="module")
def hub(directories):
    """An endpoint that has one model's config.json: its address, and the paths that were asked for."""
    asked = []
    content = (directories / "gpt2" / "config.json").read_bytes()

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            there = self.path == "/org/name/resolve/main/config.json"
            self.send_response(200 if there else 404)
            self.send_header("ETag", '"0123"')
            self.send_header("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
            self.send_header("Content-Length", str(len(content) if there else 0))
            self.end_headers()
            if there and self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def server(hub, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub[0])
        patch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
        patch.setenv("HF_HUB_OFFLINE", "0")
        server = ForkServer.start((*PRELOAD, "r1flow.components.programs.count_model"))
    with closing(server):
        yield server


def recipe_of(**sources):
    """One SFT stage a model; nothing of it is run."""
    models = {name: {"source": str(source)} for name, source in sources.items()}
    sft = {"kind": "sft", "data": "traces", "epochs": 1, "batch_size": 8, "learning_rate": 1e-5}
    return make_recipe(
        {
            "name": "any",
            "models": models,
            "datasets": {"traces": {"kind": "demonstrations", "sources": {"t": {"uri": "t.jsonl", "rows": 20}}}},
            "stages": {f"taught_{name}": sft | {"model": name} for name in models},
        },
        [],
    )


def test_all_families_are_counted_by_one_child_and_never_again(directories, server, tmp_path, monkeypatch):
    recipe = recipe_of(**{name: directories / name for name in FAMILIES})
    found = count_models(recipe, tmp_path, server=server)
    assert not found.unknown
    for name, config in FAMILIES.items():
        model = AutoModelForCausalLM.from_config(config)
        assert found.models[name].parameters == sum(p.numel() for p in model.parameters()), name
    monkeypatch.setattr(counting, "look", lambda *a, **k: pytest.fail("counted twice"))
    assert count_models(recipe, tmp_path) == found
    for path in (tmp_path / "counts").iterdir():
        path.write_text("{")
    monkeypatch.undo()
    assert (
        count_models(recipe, tmp_path, server=server).models == found.models
    )  # what was kept is no longer there to be read


def test_shapes_and_shipped_models_need_no_child(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "look", lambda *a, **k: pytest.fail("a child was asked"))
    for name in ("tiny", "r1-32b"):
        recipe = load_recipe(name)
        assert set(count_models(recipe, tmp_path, server=server).models) == set(recipe.models)
    base = load_recipe("r1-32b").models["base"]
    assert count_models(load_recipe("r1-32b"), tmp_path).models["base"] == decoder_of(base.shape)


def test_what_has_no_config_is_unknown_with_the_reason(tmp_path):
    (tmp_path / "empty").mkdir()
    found = count_models(recipe_of(a=tmp_path / "empty", b="rl/0123abcd", c="./nowhere"), tmp_path)
    assert found.models == {}
    assert found.unknown["a"].startswith("there is no ")
    assert found.unknown["b"].startswith("an artifact")
    assert found.unknown["c"].startswith("there is no nowhere/config.json")
    assert count_models(recipe_of(d="./no.gguf"), tmp_path).unknown["d"] == "there is no no.gguf"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "of the future"}, r"transformers knows no model_type 'of the future'"),
        ({}, r"knows no model_type None"),
        ([1], r"config.json is not a JSON object"),
        ({"model_type": "rwkv"}, r"models of type 'rwkv' cannot be sampled"),
        ({"model_type": "t5"}, r"models of type 't5' are no causal language models"),
        ({"model_type": "llama", "hidden_size": "wide"}, r"hidden_size"),
        ({"model_type": "llama", "num_hidden_layers": 10**7, "hidden_size": 64}, r"stopped after 2 s|more than 1 GiB"),
    ],
)
def test_a_config_that_is_no_model_s_is_refused_by_the_setting(server, tmp_path, config, said):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=rf"(?s)^models\.base\.source: .*({said})"):
        count_models(recipe_of(base=tmp_path), tmp_path / "cache", server=server, limits=LIMITS)


def test_a_config_that_asks_for_code_is_counted_without_it_and_said(server, tmp_path):
    told = FAMILIES["llama"].to_dict() | {"auto_map": {"AutoModelForCausalLM": "modeling.Evil"}}
    (tmp_path / "config.json").write_text(json.dumps(told))
    (tmp_path / "modeling.py").write_text("raise SystemExit('run')")
    found = count_models(recipe_of(base=tmp_path), tmp_path / "cache", server=server).models["base"]
    assert "never runs" in found.notes[0]


def test_of_a_hub_s_model_config_json_alone_is_fetched(hub, server, tmp_path):
    found = count_models(recipe_of(there="org/name", absent="org/absent"), tmp_path, server=server)
    assert found.models["there"].parameters == sum(
        p.numel() for p in AutoModelForCausalLM.from_config(FAMILIES["gpt2"]).parameters()
    )
    assert found.unknown["absent"].startswith("the config.json of org/absent (revision main) could not be fetched: ")
    assert {path.rpartition("/")[2] for path in hub[1]} == {"config.json"}


def test_a_gguf_file_is_counted_by_its_header_and_never_again(server, tmp_path, monkeypatch):
    model = small_llama(405)
    recipe = recipe_of(base=write_gguf(tmp_path / "a.gguf", model, byte_level(), "q8_0"))
    found = count_models(recipe, tmp_path / "cache", server=server)
    assert found.models["base"].parameters == sum(p.numel() for p in model.parameters())
    assert (found.models["base"].positions, found.models["base"].notes) == (64, ())
    monkeypatch.setattr(counting, "look", lambda *a, **k: pytest.fail("counted twice"))
    assert count_models(recipe, tmp_path / "cache") == found


def test_a_gguf_file_that_is_none_is_refused_by_the_setting(server, tmp_path):
    (tmp_path / "a.gguf").write_bytes(b"GGUF" + b"\xff" * 60)
    with pytest.raises(ModelError, match=r"^models\.base\.source: .*a\.gguf: not a GGUF file that can be read"):
        count_models(recipe_of(base=tmp_path / "a.gguf"), tmp_path / "cache", server=server)


def test_of_a_model_on_s3_config_json_alone_is_read(directories, tmp_path, monkeypatch):
    with s3_behind_a_proxy() as s3:
        s3.make_bucket("models")
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": s3.direct}).items():
            monkeypatch.setenv(name, value)
        open_store("s3://models/llama").put_file(directories / "llama" / "config.json", "config.json")
        told = {name: {"source": f"s3://models/{name}", "revision": None} for name in ("llama", "absent")}
        work = {"cache": str(tmp_path), "work": str(tmp_path), "limits": {}}
        found = count_model({"models": told, **work})
        monkeypatch.setattr(counting, "look", lambda program, spec, **more: count_model({**spec, **work}))
        counted = count_models(recipe_of(base="s3://models/llama"), tmp_path)
    expected = AutoModelForCausalLM.from_config(FAMILIES["llama"])
    assert found["llama"]["parameters"] == sum(p.numel() for p in expected.parameters())
    assert counted.models["base"].parameters == found["llama"]["parameters"]
    reason = "the config.json of s3://models/absent could not be fetched: there is no object"
    assert found["absent"]["unknown"].startswith(reason)


def test_a_plan_of_a_directory_says_parameters_positions_memory_and_work(directories, server, tmp_path):
    recipe = tmp_path / "any.toml"
    recipe.write_text(
        f"""
name = "any"
[models.base]
source = "{directories / "qwen3_moe"}"
[datasets.traces]
kind = "demonstrations"
sources.t = {{ uri = "t.jsonl", rows = 20 }}
[datasets.problems]
sources.p = {{ uri = "p.jsonl", rows = 30, verifier = "exact" }}
[stages.taught]
kind = "sft"
model = "base"
data = "traces"
epochs = 1
batch_size = 8
learning_rate = 1e-5
[stages.rated]
kind = "rate"
model = "base"
data = "problems"
samples = 2
max_tokens = 40
[suites.held]
source = {{ uri = "s.jsonl", verifier = "exact" }}
problems = 10
samples = 2
max_tokens = 50
"""
    )
    count_models(load_recipe(str(recipe)), tmp_path / "cache", server=server)  # what a plan finds there needs no child
    done = r1(tmp_path, "plan", str(recipe))
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.replace("│", "").split())
    for said in ("for a token", "128", "max_tokens 40 (of 128 positions)", "max_tokens 50 (of 128 positions)"):
        assert said in text, done.stdout
    for row in ("taught", "rated", "evaluate/base"):
        assert sum(line.startswith(f"│ {row} ") for line in done.stdout.splitlines()) >= 2, done.stdout
    long = r1(tmp_path, "plan", str(recipe), "--set", "rated.max_tokens=128")
    assert long.returncode == 2
    said = "stages.rated.max_tokens: 128 leave no room for a prompt in the 128 positions of base"
    assert said in " ".join(long.stderr.split())


def test_the_caller_imports_neither_torch_nor_transformers(directories, tmp_path):
    code = """
import sys
from pathlib import Path
from r1flow.components.recipe.presets import make_recipe
from r1flow.tasks.counting import count_models
from r1flow.tasks.session import PRELOAD
recipe = make_recipe({"name": "any", "models": {"base": {"source": sys.argv[1]}}}, [])
assert count_models(recipe, Path(sys.argv[2])).models["base"].parameters
print(sorted({"torch", "transformers", "huggingface_hub", "tokenizers", "prefect"} & set(sys.modules)))
"""
    assert python(tmp_path, code, str(directories / "llama"), str(tmp_path)) == "[]"
