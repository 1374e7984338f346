"""What decides a result is in its fingerprint, and nothing else is: over the whole graph, without computing any of it."""

import hashlib
import importlib
import json
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.presets import load_recipe, make_recipe
from r1flow.components.store.manifest import ArtifactRef
from r1flow.tasks.declare import declare
from r1flow.tasks.place import Place
from r1flow.tasks.session import StageOutcome
from tests.fakes.own_kind import SOURCE

CPU, CUDA = Place("cpu"), Place("cuda")
TRAINED = {"r1_zero", "dev1", "dev2", "dev3", "r1", "distilled", "student_rl"}


def outcome(name, work):
    ref = ArtifactRef(kind=work.kind.artifact, fingerprint=work.fingerprint(), uri="x", manifest_sha256="0" * 64)
    return StageOutcome(name=name, ref=ref, reused=True, seconds=0, metrics={})


def works(recipe, place=CPU, stored=()):
    """The work of every node but the report, as if each before had been computed; ``stored`` artifacts are there already."""
    found, given = {}, {address: stored_outcome(address) for address in stored}
    place = place.knowing(
        {name: hashlib.sha256(model.source.encode()).hexdigest() for name, model in recipe.models.items()}, {}
    )
    for name, node in recipe.graph.nodes.items():
        if name != "report":
            found[name] = declare(recipe, node, given, place)
            given[name] = outcome(name, found[name])
    return found


def stored_outcome(address):
    kind, _, digits = address.partition("/")
    ref = ArtifactRef(kind=kind, fingerprint=digits.ljust(64, "0"), uri="x", manifest_sha256="0" * 64)
    return StageOutcome(name=address, ref=ref, reused=True, seconds=0, metrics={})


def prints(recipe, place=CPU):
    return {name: work.fingerprint() for name, work in works(recipe, place).items()}


def changed(*overrides, place=CPU, preset="tiny", at=CPU):
    """The nodes whose fingerprint is another one with these overrides."""
    before, after = prints(load_recipe(preset), at), prints(load_recipe(preset, overrides), place)
    return {name for name in before if before[name] != after[name]}


def evaluations(names):
    return {f"evaluate/{name}" for name in names}


def test_a_dataset_is_the_same_on_any_device_and_for_any_prompt():
    for other in (changed(place=CUDA), changed("base.prompt.template=r1_zero"), changed("run.threads=2")):
        assert not other & {"suites", "problems", "general", "base", "student", "certify/exact"}
        assert {"r1_zero", "dev1", "dev3", "evaluate/base"} <= other


def test_a_prompt_changes_what_is_asked_with_it():
    other = changed("student.prompt.template=r1_zero")
    assert other == {"distilled", "student_rl"} | evaluations(["student", "distilled", "student_rl"])
    assert changed("base.prompt.end_tokens=[]", "base.prompt.date=2026-01-01", "base.prompt.variables={}") == set()
    assert "evaluate/base" in changed("base.prompt.date=2026-01-02")
    assert "evaluate/base" in changed('base.prompt.end_tokens=["k"]')
    assert changed("distilled.prompt={template='tiny', format='think_answer'}") == {"distilled", "evaluate/distilled"}


def test_the_language_changes_selections_rl_and_evaluations_and_no_sft():
    words = 'student.language={target="0123456789", other="abcdefghij", reflection_words=["aha"]}'
    assert changed(words) == {"student_rl"} | evaluations(["student", "distilled", "student_rl"])


@pytest.mark.parametrize(
    "setting",
    [
        "run.threads=3",
        "dev2.micro_tokens=99",
        "dev1.micro_tokens=99",
        "run.engine={kind='deepspeed', ranks=4, zero_stage=3}",
        "run.engine={kind='deepspeed', ranks=2, nodes=2, rendezvous='a:1'}",
    ],
)
def test_on_cuda_ranks_threads_and_memory_decide_no_model_and_on_a_cpu_they_do(setting):
    on_cuda = changed(setting, place=CUDA, at=CUDA)
    assert {name for name in on_cuda if not name.endswith("/gradient")} == set()
    assert changed(setting) & {"dev1", "dev2"}


def test_a_gradient_is_proved_for_the_very_engine_on_any_device():
    engine = "run.engine={kind='deepspeed', ranks=4, zero_stage=3}"
    assert {name for name in prints(load_recipe("tiny")) if name.endswith("/gradient")} == changed(
        engine, place=CUDA, at=CUDA
    )


def test_the_precision_decides_on_cuda_too():
    assert {"r1_zero", "dev2"} <= changed("run.engine.dtype=bfloat16", place=CUDA, at=CUDA)


def test_what_is_left_out_reaches_the_program_beside():
    work = works(load_recipe("tiny", ["dev1.micro_tokens=99", "run.threads=3", "run.engine.dtype=bfloat16"]), CUDA)[
        "dev1"
    ]
    assert "micro_tokens" not in work.config
    assert work.place["config"] == {"micro_tokens": 99}
    assert (work.place["run"]["device"], work.place["run"]["threads"]) == ("cuda", 3)
    assert work.place["run"]["engine"]["dtype"] == "bfloat16"
    assert works(load_recipe("tiny"))["dev1"].config["micro_tokens"] == 16384


@pytest.mark.parametrize(
    "setting",
    ["run.parallel_stages=1", "run.stage_hours=1", "run.scorers=7", "run.budget.device_hours=1", "description=x"],
)
def test_where_and_how_fast_decides_nothing(setting):
    assert changed(setting) == set()


def test_the_ranks_meeting_place_decides_nothing():
    one, other = (
        prints(load_recipe("tiny", [f"run.engine={{kind='deepspeed', nodes=2, rendezvous='{host}:1', timeout_s={t}}}"]))
        for host, t in (("a", 9), ("b", 8))
    )
    assert one == other


def test_the_seed_is_in_what_reads_it_and_in_nothing_else():
    seeds = {name: work.seed for name, work in works(load_recipe("tiny", ["seed=7"])).items()}
    assert {name for name, seed in seeds.items() if seed == 7} == TRAINED | {
        "problems",
        "general",
        "chains",
        "teaching",
    }
    assert set(seeds.values()) == {0, 7}
    other = changed("seed=7")
    assert other == TRAINED | {"problems", "general", "chains", "teaching"} | evaluations(TRAINED)
    assert not other & {"suites", "certify/exact", "base", "evaluate/base", "evaluate/student", "r1_zero/gradient"}


def test_another_stage_s_certificate_changes_no_rl():
    code = {"kind": "problems", "sources": {"p": {"uri": "problems.jsonl", "verifier": "code"}}}
    more = {"kind": "rl", "model": "base", "data": "programs", "steps": 2, "learning_rate": 1, "max_tokens": 9}

    def inputs(recipe):
        node = recipe.graph.nodes["dev2"]
        return dict(node.inputs)

    plain = load_recipe("tiny")
    both = make_recipe({"preset": "tiny", "datasets": {"programs": code}, "stages": {"coding": more}})
    assert "certify/code" in both.graph.nodes
    assert inputs(plain) == inputs(both)
    assert "certificate.code" in both.graph.nodes["coding"].inputs


def test_a_certificate_s_version_changes_the_rl_that_rests_on_it_and_no_gradient():
    recipe = load_recipe("tiny")
    found = works(recipe)
    refs = found["dev2"].inputs
    assert set(refs) == {"model", "data", "certificate.exact"}
    assert refs["certificate.exact"].fingerprint == found["certify/exact"].fingerprint()


@pytest.mark.parametrize(
    ("setting", "nodes"),
    [
        ("dev2.title=Other", set()),
        ("base.title=Other", set()),
        ("general.title=Other", set()),
        ("promote.r1-tiny.min_format=0.5", set()),
        ("dev1.epochs=5", {"dev1", "dev2", "teaching", "dev3", "r1", "distilled"}),
        ("dev2.learning_rate=1e-5", {"dev2", "teaching", "dev3", "r1", "distilled"}),
        ("dev2.kl_weight=0.1", {"dev2/gradient", "dev2", "teaching", "dev3", "r1", "distilled"}),
        ("distilled.epochs=5", {"distilled"}),
    ],
)
def test_a_setting_changes_its_stage_and_what_comes_of_it(setting, nodes):
    other = changed(setting)
    assert {name for name in other if not name.startswith("evaluate/")} == nodes
    assert {name for name in other if name.startswith("evaluate/")} == evaluations(nodes & TRAINED)


def test_a_suite_s_protocol_changes_evaluations_and_its_problems_all_that_is_held_against_them():
    assert changed("suites.sums.temperature=0.5") == {
        n for n in prints(load_recipe("tiny")) if n.startswith("evaluate/")
    }
    assert {"suites", "problems", "general", "r1_zero", "evaluate/base"} <= changed("suites.sums.source.size=300")


NAMED = [
    "base",
    "student",
    "problems",
    "general",
    "r1_zero",
    "chains",
    "dev1",
    "dev2",
    "teaching",
    "dev3",
    "r1",
    "distilled",
    "student_rl",
]


def renamed(names):
    """``tiny`` with other names for all its parts."""
    data = load_recipe("tiny").model_dump(mode="json")
    for table in ("models", "datasets", "stages"):
        data[table] = {names[name]: part for name, part in data[table].items()}
    for stage in data["stages"].values():
        for field in ("model", "data", "from"):
            if field in stage:
                stage[field] = names[stage[field]]
        stage["mix"] = {names[name]: amount for name, amount in stage.pop("mix", {}).items()}
        if stage["kind"] != "select":
            del stage["mix"]
    for promotion in data["promote"].values():
        promotion["model"] = names[promotion["model"]]
    return make_recipe(data | {"name": "other", "deviations": {}})


@settings(max_examples=8, deadline=None)
@given(st.lists(st.from_regex(r"\Ax[a-z0-9_-]{1,9}\Z"), min_size=len(NAMED), max_size=len(NAMED), unique=True))
def test_names_of_parts_are_in_no_fingerprint(others):
    names = dict(zip(NAMED, others, strict=True))

    def new(name):
        before, slash, after = name.partition("/")
        return names.get(before, before) + slash + names.get(after, after)

    assert prints(renamed(names)) == {new(name): digest for name, digest in prints(load_recipe("tiny")).items()}


def test_no_name_is_in_a_manifest_s_settings():
    for name, work in works(load_recipe("tiny")).items():
        said = json.dumps(work.manifest_config())
        assert not [part for part in ("r1_zero", "chains", "teaching", "distilled") if f'"{part}"' in said], name


def test_two_stages_of_equal_settings_are_one_artifact():
    twin = load_recipe("tiny").stages["dev1"].model_dump(mode="json") | {"title": "Twin"}
    found = prints(make_recipe({"preset": "tiny", "stages": {"twin": twin}}))
    assert found["twin"] == found["dev1"]
    assert found["evaluate/twin"] == found["evaluate/dev1"]


@pytest.mark.parametrize("uri", ["one.jsonl", "sub/two.jsonl"])
def test_a_file_is_its_bytes_wherever_it_lies(tmp_path, uri):
    (tmp_path / "sub").mkdir()
    (tmp_path / uri).write_text('{"prompt": "1+1", "answer": "2"}\n')
    table = {"problems": {"sources": {"mine": {"uri": str(tmp_path / uri)}}}}
    work = works(make_recipe({"name": "mine", "datasets": table}))["problems"]
    digest = hashlib.sha256(b'{"prompt": "1+1", "answer": "2"}\n').hexdigest()
    assert str(tmp_path) not in json.dumps(work.manifest_config())
    assert digest in json.dumps(work.config["digests"])
    assert work.notes["addresses"] == {"dataset.sources.mine.uri": str(tmp_path / uri)}
    other = works(make_recipe({"name": "other", "datasets": {"theirs": table["problems"]}}))["theirs"]
    assert other.fingerprint() == work.fingerprint()


def test_a_source_that_lies_nowhere_is_asked_for_by_its_setting():
    with pytest.raises(ConfigError, match=r"suites\.gsm8k\.source\.uri, .*--set suites\.gsm8k\.source\.uri=FILE"):
        works(load_recipe("curate-math"))
    with pytest.raises(ConfigError, match=r"mine\.sources\.s\.uri: a path or URI is needed"):
        works(make_recipe({"name": "x", "datasets": {"mine": {"sources": {"s": {}}}}}))


def test_pass_rates_that_follow_from_difficulty_are_asked_as_the_stage_is():
    found = works(load_recipe("tiny", ["dev2.difficulty={samples=4}"]))
    rate = found["dev2/rate"]
    assert rate.config == {
        "model": "model", "data": "data", "samples": 4, "skills": ["sum"], "max_tokens": 60, "temperature": 1.0,
    }  # fmt: skip
    assert rate.inputs["model"].fingerprint == found["dev1"].fingerprint()
    assert found["dev2"].config["difficulty"]["rates"] == "difficulty.rates"
    assert found["dev2"].inputs["difficulty.rates"].fingerprint == rate.fingerprint()
    assert found["dev2"].notes["rates"] == "rates"


def test_pass_rates_are_the_same_whether_they_are_implied_or_a_stage():
    rated = {"kind": "rate", "model": "dev1", "data": "problems", "samples": 4, "skills": ["sum"], "max_tokens": 60}
    stages = {"rated": rated, "dev2": {"difficulty": {"samples": 4, "rates": "rated"}}}
    named = prints(make_recipe({"preset": "tiny", "stages": stages}))
    implied = prints(load_recipe("tiny", ["dev2.difficulty={samples=4}"]))
    assert named["rated"] == implied["dev2/rate"]
    assert named["dev2"] == implied["dev2"]


def test_pass_rates_may_be_an_artifact():
    recipe = load_recipe("tiny", ["dev2.difficulty={rates='ledger/0123abcd'}"])
    work = works(recipe, stored=["ledger/0123abcd"])["dev2"]
    assert work.inputs["difficulty.rates"].fingerprint.startswith("0123abcd")
    assert work.notes["rates"] == "ledger"
    assert "0123abcd" not in json.dumps(work.config)


def own_stage(tmp_path, monkeypatch, text=SOURCE, **given):
    """The work of a stage of a kind of one's own in ``tiny``, its module written anew under one name."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_kind_of_a_test.py").write_text(text)
    sys.modules.pop("own_kind_of_a_test", None)
    importlib.invalidate_caches()
    place = given.pop("place", CPU)
    stage = {"kind": "own_kind_of_a_test:Trim", "data": "chains"} | given
    return works(make_recipe({"preset": "tiny", "stages": {"short": stage}}), place)["short"]


def test_a_kind_of_one_s_own_is_its_settings_its_version_and_its_source(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    plain = own_stage(tmp_path, monkeypatch)
    assert plain.config == {
        "kind": {"name": "own_kind_of_a_test:Trim", "sha256": hashlib.sha256(SOURCE.encode()).hexdigest()},
        "data": "data", "judge": None, "words": 5, "micro_tokens": 7, "source": "mine",
    }  # fmt: skip
    assert (plain.kind.version, plain.seed, set(plain.settings)) == ("3", 0, {"prompt"})
    others = [
        own_stage(tmp_path, monkeypatch, words=9),
        own_stage(tmp_path, monkeypatch, source="theirs"),
        own_stage(tmp_path, monkeypatch, judge="base"),
        own_stage(tmp_path, monkeypatch, SOURCE + "# another line\n"),
        own_stage(
            tmp_path, monkeypatch, SOURCE.replace('version: ClassVar[str] = "3"', 'version: ClassVar[str] = "4"')
        ),
    ]
    digests = {work.fingerprint() for work in (plain, *others)}
    assert len(digests) == 6
    assert others[-1].kind.version == "4"
    assert own_stage(tmp_path, monkeypatch, title="Short").fingerprint() == plain.fingerprint()
    assert own_stage(tmp_path, monkeypatch).fingerprint() == plain.fingerprint()


def test_a_kind_of_one_s_own_reads_what_it_says_and_keeps_its_fields_on_cuda(tmp_path, monkeypatch):
    here, there = own_stage(tmp_path, monkeypatch), own_stage(tmp_path, monkeypatch, place=CUDA)
    assert here.config == there.config
    assert there.place.get("config") is None
    assert "device" not in json.dumps(here.settings)
