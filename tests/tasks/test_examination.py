"""`r1 doctor --model`: a line for each thing about a model, what fails by name with its fix, and the exit code."""

import json
import re
import shutil
from contextlib import closing

import pytest
from safetensors.torch import load_file, save_file

from r1flow.components.core.errors import ModelError
from r1flow.components.core.models import BUILTIN, save_model
from r1flow.components.processes.preload import ForkServer
from r1flow.components.programs.import_model import main as import_model
from r1flow.components.programs.inspect_model import Limits
from r1flow.tasks.examination import examine_model
from r1flow.tasks.session import PRELOAD
from tests.fakes.families import BASE, FAMILIES, UNPROVEN
from tests.fakes.families import random_model as of_60_tokens
from tests.fakes.gguf_file import small_llama, write_gguf
from tests.fakes.tokenizers import CHATML, begins, blank_first, byte_level
from tests.runs import python, r1

LIMITS = Limits(cpu_s=10, memory=1 << 30)
VOCAB = 448
"""More than the tokenizer's 405 tokens."""
WHATS = [
    "family", "masks", "tokenizer", "weights", "head", "ties", "ids", "probe", "template", "beginning", "ends", "context",
]  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with closing(ForkServer.start(PRELOAD)) as server:
        yield server


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A directory of each family, with a tokenizer of bytes that has a chat template."""
    root = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BASE, "vocab_size", VOCAB)
        for family in ("llama", "gemma2", "granite", "bloom"):
            assert family in FAMILIES | UNPROVEN
            save_model(of_60_tokens(family), byte_level(), root / family)
    return root


@pytest.fixture
def model(shelf, tmp_path):
    return shutil.copytree(shelf / "llama", tmp_path / "model")


@pytest.fixture
def doctor(server):
    def look(source, limits=LIMITS):
        return {f.what: f for f in examine_model(str(source), server=server, limits=limits)}

    return look


def edit(path, **changes):
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | changes))


def without(name, path):
    weights = load_file(path)
    del weights[name]
    save_file(weights, path, metadata={"format": "pt"})


def larger():
    tokenizer = byte_level()
    tokenizer.add_tokens([f"word{n}" for n in range(VOCAB)])
    return tokenizer


def verdicts(findings):
    return {what: f.verdict for what, f in findings.items() if f.verdict != "ok"}


def test_of_the_shipped_model_everything_is_said_and_nothing_fails(doctor):
    found = doctor("builtin:tiny-base")
    assert list(found) == WHATS
    assert verdicts(found) == {"tokenizer": "warning"}  # it knows the characters of sums alone
    assert found["family"].detail == "qwen3: proven; rows are packed"
    assert found["masks"].detail == "full in 3 layers"
    assert found["weights"].detail.startswith("199,808 parameters (")
    assert found["ties"].detail == "the head is the embedding"
    assert found["ends"].detail.startswith("<eos>; ")
    assert found["context"].detail.startswith("128 positions")
    nats = float(re.search(r"are (\S+) nats .*\(bound 0\.001\)$", found["probe"].detail)[1])
    assert nats < 1e-5


@pytest.mark.parametrize(
    ("family", "masks", "head", "ties"),
    [
        ("llama", "full in 2 layers", "embedding (measured)", "a matrix of its own"),
        ("gemma2", "window of 8 in 1 layer, full in 1 layer", ", capped softly at 3 (measured)", "is the embedding"),
        ("granite", "full in 2 layers", ", times 0.125 (measured)", "of its own"),
    ],
)
def test_heads_masks_and_ties_are_the_model_s(doctor, shelf, family, masks, head, ties):
    found = doctor(shelf / family)
    assert verdicts(found) == {}
    assert found["masks"].detail == masks
    assert found["head"].detail.endswith(head)
    assert found["ties"].detail.endswith(ties)
    assert found["ids"].detail.startswith("the model has 43 beyond the tokenizer's")


def test_a_gguf_file_is_a_model_like_any_other(doctor, tmp_path):
    tokenizer = byte_level()
    found = doctor(write_gguf(tmp_path / "a.gguf", small_llama(len(tokenizer)), tokenizer))
    assert (list(found), verdicts(found)) == (WHATS, {})
    assert found["ends"].detail == "<|im_end|>; the template closes turns with <|im_end|>"


def test_the_plain_path_is_a_warning(doctor, shelf):
    found = doctor(shelf / "bloom")
    assert verdicts(found) == {"family": "warning"}
    assert "plain path" in found["family"].detail


def test_ends_thoughts_and_variables_of_a_template_are_said(doctor, model):
    thinking = CHATML.replace("assistant\n", "assistant\n{% if enable_thinking %}<think>\n{% endif %}{{ bos_token }}")
    begins(byte_level("{% generation %}" + thinking + "{% endgeneration %}", eos="<|endoftext|>")).save_pretrained(
        model
    )
    edit(model / "generation_config.json", eos_token_id=[2, 0])
    found = doctor(model)
    assert found["template"].detail.endswith("prompt.variables that it reads: enable_thinking")
    assert found["ends"].detail == "<|endoftext|>, <|im_end|>; the template closes turns with <|im_end|>"
    assert found["beginning"].detail == "the tokenizer puts <|endoftext|> before a text, and a prompt has it once"
    begins(byte_level("{{ bos_token }}{{ bos_token }}" + thinking)).save_pretrained(model)
    assert "has it twice" in doctor(model)["beginning"].detail
    byte_level(thinking.replace("{% if enable_thinking %}", "{% if true %}")).save_pretrained(model)
    assert "opens a thought" in doctor(model)["template"].detail
    byte_level(None).save_pretrained(model)
    (model / "chat_template.jinja").unlink()
    found = doctor(model)
    assert found["template"].detail.startswith("the model has no chat template; set prompt.template = 'r1_zero'")
    assert verdicts(found) == {"template": "warning"}


FAILING = {
    "files": (lambda m: (m / "config.json").unlink(), r"config\.json is missing"),
    "family": (lambda m: edit(m / "config.json", model_type="rwkv"), r"type 'rwkv' cannot be sampled"),
    "tokenizer": (
        lambda m: edit(m / "tokenizer.json", decoder={"type": "Strip", "content": " ", "start": 9, "stop": 9}),
        r"does not give a text back",
    ),
    "weights": (
        lambda m: without("model.layers.1.mlp.up_proj.weight", m / "model.safetensors"),
        r"missing tensors: model\.layers\.1\.mlp\.up_proj\.weight",
    ),
    "ids": (lambda m: larger().save_pretrained(m), r"the tokenizer has \d+ tokens, the model only 448"),
}


@pytest.mark.parametrize("what", FAILING)
def test_what_fails_is_named_and_an_import_refuses_it_for_the_same_reason(doctor, model, tmp_path, what):
    damage, reason = FAILING[what]
    damage(model)
    found = doctor(model)
    assert [name for name, verdict in verdicts(found).items() if verdict == "failed"] == [what]
    assert re.search(reason, found[what].detail)
    assert found["the rest"].verdict == "warning"
    spec = {"stage": "base", "seed": 0, "config": {"model": {"source": str(model)}}, "run": {"threads": 1}}
    with pytest.raises(ModelError) as refused:
        import_model(spec | {name: str(tmp_path / name) for name in ("out", "work", "store")} | {"checkpoints": "none"})
    assert str(refused.value) == found[what].detail


def test_a_turn_that_no_end_closes_fails_with_the_setting(doctor, model):
    byte_level(eos="<|endoftext|>").save_pretrained(model)
    edit(model / "generation_config.json", eos_token_id=0)
    found = doctor(model)
    assert verdicts(found) == {"ends": "failed"}
    assert found["ends"].detail.endswith('set prompt.end_tokens = ["<|im_end|>", "<|endoftext|>"]')


def test_a_tokenizer_that_lacks_characters_is_a_warning(doctor, model):
    blank_first().save_pretrained(model)
    (model / "chat_template.jinja").unlink()
    assert doctor(model)["tokenizer"].verdict == "warning"


def test_a_template_that_ends_the_process_costs_no_other_finding(doctor, model):
    (model / "chat_template.jinja").write_text("{{ 9 ** (9 ** 9) }}")
    found = doctor(model, Limits(cpu_s=3, memory=1 << 30))
    assert verdicts(found) == {"template": "failed"}
    assert "was stopped after 3 s of processor time; name another" in found["template"].detail
    assert "probe" in found


def test_the_command_ends_with_1_where_something_fails_and_with_2_where_there_is_no_model(model, tmp_path):
    edit(model / "config.json", model_type="mamba")
    failed = r1(tmp_path, "doctor", "--model", str(model))
    assert failed.returncode == 1, failed.stderr
    assert re.search(r"failed +family +.*models of type 'mamba' cannot be sampled", failed.stdout)
    absent = r1(tmp_path, "doctor", "--model", "./nowhere")
    assert (absent.returncode, absent.stdout) == (2, "")
    assert re.match(r"r1: --model: \./nowhere is not a directory here", absent.stderr)


def test_the_command_s_process_imports_neither_torch_nor_transformers(tmp_path):
    code = """
import sys
from typer.testing import CliRunner
from r1flow.cli.main import app
done = CliRunner().invoke(app, ["doctor", "--model", sys.argv[1]])
print(done.exit_code, sorted({"torch", "transformers", "tokenizers", "prefect"} & set(sys.modules)))
"""
    assert python(tmp_path, code, str(BUILTIN["tiny-student"])) == "0 []"
