"""Manifests of either generation say the same in today's words."""

from typing import Any

import pytest

from r1flow.components.evals.lake.generations import data_of, holds_model, inputs_of, prompt_of, suite_file, suite_of
from r1flow.components.store.manifest import ArtifactRef, Manifest


def manifest(kind: str, roles: str = "", file: str = "x", **said: Any) -> Manifest:
    inputs = {
        role: ArtifactRef(kind="x", fingerprint=f"{n:064x}", uri="file:///x", manifest_sha256="0" * 64)
        for n, role in enumerate(roles.split())
    }
    files = [{"path": file, "size": 1, "sha256": "0" * 64}]
    given = {"config": {}, "provenance": {}, **said}
    return Manifest(
        kind=kind, fingerprint="f" * 64, version="1", inputs=inputs, seed=0, metrics={}, files=files, **given
    )


@pytest.mark.parametrize(
    ("kind", "before", "now"),
    [
        ("grpo", "certificate dataset difficulty policy", "certificate data difficulty.rates model"),
        ("rl", "certificate.exact data difficulty.rates model", "certificate.exact data difficulty.rates model"),
        ("selection", "dataset policy", "problems from"),
        ("selection", "from mix.0 problems", "from mix.0 problems"),
        ("sft", "dataset model", "data model"),
        ("evaluation", "dataset model", "suites model"),
        ("difficulty", "dataset policy", "data model"),
        ("rescore", "dataset scored", "dataset scored"),
    ],
)
def test_inputs_have_the_roles_of_today(kind: str, before: str, now: str) -> None:
    assert list(inputs_of(manifest(kind, before))) == now.split()


def test_data_are_one_set_or_several_in_order() -> None:
    assert [int(ref.fingerprint, 16) for ref in data_of(manifest("sft", "dataset model"))] == [0]
    assert [int(ref.fingerprint, 16) for ref in data_of(manifest("sft", "model data.0 data.1"))] == [1, 2]


def test_a_prompt_is_the_settings_else_the_provenances_else_the_default() -> None:
    trained = manifest("sft", config={"prompt": {"template": "tiny", "format": "think"}})
    imported = manifest("model", provenance={"prompt": {"template": "tokenizer"}})
    nothing = manifest("dataset")
    assert prompt_of(trained, imported).template == "tiny"
    assert prompt_of(nothing, imported).template == "tokenizer"
    assert prompt_of(nothing, None).template == "r1_zero"


@pytest.mark.parametrize(
    ("kind", "path", "suite"),
    [
        ("suites", "sums.jsonl", "sums"),
        ("suites", "quarantine.jsonl", None),
        ("dataset", "eval/sums.jsonl", "sums"),
        ("dataset", "train.jsonl", None),
        ("dataset", "contamination/sums.jsonl", None),
        ("selection", "sft.jsonl", None),
    ],
)
def test_problems_of_a_suite_are_known_by_their_file(kind: str, path: str, suite: str | None) -> None:
    assert suite_of(kind, path) == suite
    if suite is not None:
        assert suite_file(kind, suite) == path


def test_a_model_is_known_by_its_files_whatever_the_kind() -> None:
    assert holds_model(manifest("mystage", file="model/config.json"))
    assert not holds_model(manifest("rl", file="lake/steps-000001-000002.parquet"))
