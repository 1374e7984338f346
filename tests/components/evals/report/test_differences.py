"""Two runs' stages compared: what differs of itself, and what only follows."""

from r1flow.components.evals.report.differences import only_in, partings
from r1flow.components.store.manifest import ArtifactRef, Manifest


def made(name: str, digit: str, inputs: dict[str, tuple[ArtifactRef, Manifest]] | None = None, **facts):
    kind = facts.pop("kind", "model")
    ref = ArtifactRef(kind=kind, fingerprint=digit * 64, uri=f"file:///{name}", manifest_sha256="0" * 64)
    given = {"version": "1", "config": {}, "seed": 0, **facts}
    files = [{"path": "a", "size": 1, "sha256": "0" * 64}]
    sources = {key: value[0] for key, value in (inputs or {}).items()}
    return ref, Manifest(
        kind=kind, fingerprint=ref.fingerprint, inputs=sources, metrics={}, files=files, provenance={}, **given
    )


def test_the_stage_that_differs_by_itself_is_told_from_those_that_follow():
    data = made("data", "a")
    one = {"curate": data, "zero": made("zero", "b", {"data": data}, config={"config": {"grpo": {"steps": 3}}})}
    other = {"curate": data, "zero": made("zero", "c", {"data": data}, config={"config": {"grpo": {"steps": 4}}})}
    one["dev"] = made("dev", "d", {"policy": one["zero"]})
    other["dev"] = made("dev", "e", {"policy": other["zero"]})
    one["extra"] = made("extra", "f")
    first, second = partings(one, other)
    assert (first.stage, first.own, first.inputs, first.is_root) == ("zero", ["steps: 3, 4"], [], True)
    assert (second.stage, second.own, second.inputs, second.is_root) == ("dev", [], ["policy"], False)
    assert (only_in(one, other), only_in(other, one)) == (["extra"], [])


def test_stages_of_two_generations_are_compared_in_the_words_of_today():
    data, other_data = made("data", "a"), made("data", "9")
    old = made("zero", "b", {"dataset": data}, kind="grpo", config={"config": {"grpo": {"steps": 3}}})
    new = made("zero", "c", {"data": other_data}, kind="rl", config={"config": {"steps": 3, "data": "data"}})
    (found,) = partings({"zero": old}, {"zero": new})
    assert (found.own, found.inputs) == (["data: not there, data"], ["data"])


def test_seeds_versions_and_new_settings_are_named():
    old = {"x": made("x", "a", seed=1, version="1", config={"run": {"threads": 1}})}
    new = {"x": made("x", "b", seed=2, version="2", config={"run": {"threads": 1, "sampler": "vllm"}})}
    (found,) = partings(old, new)
    assert found.own == ["seed: 1, 2", "version: 1, 2", "run.sampler: not there, vllm"]
    assert partings(old, old) == []
