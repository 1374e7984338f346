"""Artifacts appear whole, are found by their fingerprint, and every damaged byte is named."""

import hashlib
import json
import math
import os
import random

import pytest

from r1flow.components.core.errors import ConfigError, DataError, IntegrityError, StoreError
from r1flow.components.store.artifact import (
    ArtifactRef,
    all_artifacts,
    check,
    find,
    materialize,
    publish,
    read_manifest,
    resolve,
    verify,
    verify_all,
)
from r1flow.components.store.objects import open_store
from r1flow.components.store.sealed import seal

FINGERPRINT = "0123456789abcdef" * 4


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    (folder / "shards").mkdir(parents=True)
    (folder / "config.json").write_text('{"layers": 2}')
    (folder / "empty").write_bytes(b"")
    for number in range(3):
        (folder / "shards" / f"{number}.bin").write_bytes(random.Random(number).randbytes(5000))
    return folder


def put(store, work, **changes):
    facts = {
        "kind": "model",
        "fingerprint": FINGERPRINT,
        "version": "1",
        "config": {"lr": 0.1, "betas": (0.9, 0.95)},
        "inputs": {},
        "seed": 3,
        "metrics": {"loss": 1.5, "steps": 10, "note": None},
        "provenance": {"host": "here", "time": 1.0},
    }
    return publish(store, work, **{**facts, **changes})


def flip(path, position):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << random.Random(position).randrange(8)
    path.write_bytes(data)


def test_a_published_artifact_is_found_read_and_verified(store, work):
    base = put(store, work, kind="data", fingerprint="f" * 64)
    ref = put(store, work, inputs={"data": base})
    assert find(store, "model", FINGERPRINT) == ref
    assert ArtifactRef.model_validate_json(ref.model_dump_json()) == ref
    assert ref.uri == f"{store.uri}/artifacts/model/{FINGERPRINT[:16]}"
    manifest = verify(store, ref)
    assert manifest == read_manifest(store, ref)
    assert [file.path for file in manifest.files] == [
        "config.json",
        "empty",
        "shards/0.bin",
        "shards/1.bin",
        "shards/2.bin",
    ]
    assert manifest.inputs == {"data": base}
    assert manifest.config == {"lr": 0.1, "betas": [0.9, 0.95]}
    assert manifest.metrics == {"loss": 1.5, "steps": 10, "note": None}


def test_what_was_never_published_is_not_found(store):
    assert find(store, "model", FINGERPRINT) is None
    assert all_artifacts(store) == []


def test_a_local_artifact_materializes_as_the_stores_own_files(store, work, tmp_path):
    folder = materialize(store, put(store, work), tmp_path / "cache")
    assert sorted(path.name for path in folder.rglob("*.bin")) == ["0.bin", "1.bin", "2.bin"]
    assert (folder / "config.json").read_text() == '{"layers": 2}'
    assert not (tmp_path / "cache").exists()


def test_a_part_is_verified_alone_and_what_is_not_there_is_named(store, work, tmp_path):
    ref = put(store, work)
    (config,) = store.root.rglob("config.json")
    flip(config, 3)
    folder = materialize(store, ref, tmp_path / "cache", "shards")
    assert folder == materialize(store, ref, tmp_path / "cache", "shards/1.bin")
    with pytest.raises(IntegrityError, match=r"config\.json is damaged"):
        materialize(store, ref, tmp_path / "cache", "config.json")
    (folder / "shards" / "stray").write_bytes(b"")
    with pytest.raises(IntegrityError, match="stray is not in the manifest"):
        materialize(store, ref, tmp_path / "cache", "shards")
    with pytest.raises(StoreError, match=r"has no 'shard'; its files: config\.json, empty, shards/0\.bin"):
        materialize(store, ref, tmp_path / "cache", "shard")


def test_publishing_again_adopts_and_provenance_does_not_count(store, work):
    first = put(store, work)
    assert put(store, work, provenance={"host": "elsewhere"}, metrics={"loss": 2.0}) == first
    assert read_manifest(store, first).provenance["host"] == "here"


def test_publishing_other_files_under_a_published_fingerprint_is_refused_and_harmless(store, work):
    first = put(store, work)
    (work / "shards" / "1.bin").write_bytes(b"other")
    with pytest.raises(
        IntegrityError, match=r"published before with other files: content sha256 there \w{64}, here \w"
    ):
        put(store, work)
    verify(store, first)


def test_content_digest_covers_names_and_bytes_alone(store, work):
    first = read_manifest(store, put(store, work))
    second = read_manifest(store, put(store, work, fingerprint="1" * 64, provenance={}, metrics={}, seed=9))
    assert first.content_sha256 == second.content_sha256
    (work / "empty").rename(work / "renamed")
    assert read_manifest(store, put(store, work, fingerprint="2" * 64)).content_sha256 != first.content_sha256


def test_one_flipped_byte_in_any_file_is_named_with_both_digests(store, work, tmp_path):
    ref = put(store, work)
    folder = store.root / "artifacts" / "model"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(files) == 5
    for path in files:
        whole = path.read_bytes()
        positions = range(len(whole)) if path.name == "MANIFEST.json" else random.Random(0).sample(range(len(whole)), 4)
        for position in positions:
            flip(path, position)
            with pytest.raises(IntegrityError, match=r"sha256 expected \S{64,}, found .*\w{64}") as caught:
                verify(store, ref)
            assert path.relative_to(store.root).as_posix() in str(caught.value)
            with pytest.raises(IntegrityError):
                materialize(store, ref, tmp_path / "cache")
            path.write_bytes(whole)
    verify(store, ref)


def test_every_flipped_byte_of_a_manifest_is_found_without_a_reference(store, work):
    put(store, work)
    (path,) = store.root.rglob("MANIFEST.json")
    whole = path.read_bytes()
    for position in range(len(whole)):
        flip(path, position)
        with pytest.raises(IntegrityError, match=r"MANIFEST.json is damaged"):
            find(store, "model", FINGERPRINT)
        path.write_bytes(whole)


def test_missing_truncated_and_extra_files_are_named(store, work):
    ref = put(store, work)
    (shard,) = store.root.rglob("1.bin")
    whole = shard.read_bytes()
    shard.unlink()
    for read in (check, verify):
        with pytest.raises(IntegrityError, match=r"1\.bin is missing: sha256 expected \w{64}"):
            read(store, ref)
    shard.write_bytes(whole[:-1])
    for read in (check, verify):
        with pytest.raises(IntegrityError, match=r"1\.bin is damaged: 5000 bytes .* expected, 4999 bytes found"):
            read(store, ref)
    shard.write_bytes(whole)
    (shard.parent / "stray").write_bytes(b"")
    for read in (check, verify):
        with pytest.raises(IntegrityError, match="stray is not in the manifest"):
            read(store, ref)


def test_a_check_reads_no_file_and_no_link_passes_it(store, work, monkeypatch):
    ref = put(store, work)
    (shard,) = store.root.rglob("1.bin")
    flip(shard, 7)
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "sha256", lambda self, key: pytest.fail(f"{key} was read"))
        assert check(store, ref) == read_manifest(store, ref)
    shard.rename(work / "elsewhere")
    shard.symlink_to(work / "elsewhere")
    with pytest.raises(IntegrityError, match=r"1\.bin is a symlink"):
        check(store, ref)
    shard.unlink()
    shard.symlink_to(work / "nowhere")
    with pytest.raises(IntegrityError, match=r"1\.bin is missing"):
        check(store, ref)


def test_all_artifacts_are_verified_whatever_is_wrong_with_one(store, work):
    put(store, work)
    put(store, work, fingerprint="1" * 64)
    put(store, work, fingerprint="2" * 64, kind="data")
    assert list(verify_all(store)) == [
        (f"data/{'2' * 16}", None),
        (f"model/{FINGERPRINT[:16]}", None),
        (f"model/{'1' * 16}", None),
    ]
    flip(next((store.root / "artifacts" / "data").rglob("MANIFEST.json")), 5)
    flip(next((store.root / "artifacts" / "model" / FINGERPRINT[:16]).rglob("2.bin")), 5)
    errors = dict(verify_all(store))
    assert "MANIFEST.json is damaged" in str(errors[f"data/{'2' * 16}"])
    assert "2.bin is damaged" in str(errors[f"model/{FINGERPRINT[:16]}"])
    assert errors[f"model/{'1' * 16}"] is None
    assert list(dict(verify_all(store, "data"))) == [f"data/{'2' * 16}"]
    with pytest.raises(DataError, match="no artifact of kind 'modle'; there are data, model"):
        list(verify_all(store, "modle"))


def test_swapped_files_are_found(store, work):
    ref = put(store, work)
    (first,), (second,) = store.root.rglob("0.bin"), store.root.rglob("1.bin")
    data = first.read_bytes()
    first.unlink()
    second.rename(first)
    second.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"\.bin is damaged"):
        verify(store, ref)


def test_publishing_again_mends_damaged_files(store, work):
    ref = put(store, work)
    (shard,) = store.root.rglob("1.bin")
    flip(shard, 7)
    assert put(store, work) == ref
    verify(store, ref)


def test_a_manifest_put_in_anothers_place_is_refused(store, work):
    ref = put(store, work)
    put(store, work, provenance={"host": "elsewhere"}, fingerprint="1" * 64)
    mine = store.local_path(f"artifacts/model/{FINGERPRINT[:16]}/MANIFEST.json")
    mine.chmod(0o644)
    mine.write_bytes(store.read_bytes(f"artifacts/model/{'1' * 16}/MANIFEST.json"))
    with pytest.raises(IntegrityError, match=r"sha256 expected \w{64}, found \w{64}"):
        verify(store, ref)
    with pytest.raises(IntegrityError, match="belongs to another artifact"):
        find(store, "model", FINGERPRINT)


def test_hostile_manifests_are_refused_before_any_file_is_touched(store, work, tmp_path):
    ref = put(store, work)
    manifest = read_manifest(store, ref).model_dump()
    (path,) = store.root.rglob("MANIFEST.json")
    path.chmod(0o644)
    for entry in ({"path": "../../../evil"}, {"path": "/etc/passwd"}, {"path": "empty"}, {"size": -1}, {"sha256": "x"}):
        raw, digest = seal({**manifest, "files": [manifest["files"][1], {**manifest["files"][0], **entry}]}, "manifest")
        path.write_bytes(raw)
        with pytest.raises(IntegrityError, match=r"MANIFEST\.json"):
            materialize(store, ref.model_copy(update={"manifest_sha256": digest}), tmp_path / "cache")


def test_a_deeply_nested_manifest_is_refused(store, work):
    put(store, work)
    (path,) = store.root.rglob("MANIFEST.json")
    path.chmod(0o644)
    body = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    raw, _ = seal({"a": 1}, "x")
    path.write_bytes(raw[:11] + hashlib.sha256(body).hexdigest().encode() + b'",' + body[1:])
    with pytest.raises(IntegrityError, match="no JSON document"):
        find(store, "model", FINGERPRINT)


def test_symlinks_special_files_and_empty_directories_are_refused(store, work):
    (work / "link").symlink_to(work / "config.json")
    with pytest.raises(StoreError, match=r"link is a symlink or a special file"):
        put(store, work)
    (work / "link").unlink()
    os.mkfifo(work / "pipe")
    with pytest.raises(StoreError, match=r"pipe is a symlink or a special file"):
        put(store, work)
    (work / "pipe").unlink()
    (work / "hollow").mkdir()
    with pytest.raises(StoreError, match=r"hollow is an empty directory"):
        put(store, work)
    with pytest.raises(StoreError, match=r"hollow is an empty directory"):
        put(store, work / "hollow")
    with pytest.raises(StoreError, match="No such file"):
        put(store, work / "absent")
    assert store.list() == []


def test_a_directory_that_changes_while_it_is_published_is_refused(store, work):
    copy = store.put_file
    os.utime(
        work / "config.json", (0, 0)
    )  # a file system's clock ticks every few milliseconds: two writes may share one

    def copy_then_write(path, key):
        copy(path, key)
        (work / "config.json").write_text('{"layers": 3}')

    store.put_file = copy_then_write
    with pytest.raises(StoreError, match=r"config\.json changes while it is read"):
        put(store, work)
    assert find(store, "model", FINGERPRINT) is None


def test_a_metric_that_is_no_number_is_refused_by_name_before_anything_is_written(store, work):
    with pytest.raises(ConfigError, match=r"manifest\.metrics\.loss is nan; give a finite number or null"):
        put(store, work, metrics={"loss": math.nan})
    assert store.list() == []


@pytest.mark.parametrize(
    ("kind", "digest"), [("../x", FINGERPRINT), ("Model", FINGERPRINT), ("model", "abc"), ("", "")]
)
def test_impossible_kinds_and_fingerprints_are_refused(store, work, kind, digest):
    with pytest.raises(StoreError):
        put(store, work, kind=kind, fingerprint=digest)
    with pytest.raises(StoreError, match="names no artifact"):
        find(store, kind, digest)


def test_another_fingerprint_with_the_same_first_digits_is_not_mistaken(store, work):
    put(store, work)
    twin = FINGERPRINT[:16] + "f" * 48
    with pytest.raises(IntegrityError, match="belongs to fingerprint"):
        find(store, "model", twin)
    with pytest.raises(IntegrityError, match="published before"):
        put(store, work, fingerprint=twin)


def test_people_name_artifacts_by_prefix_kind_or_uri(store, work):
    first = put(store, work, fingerprint="abcd1" + "0" * 59)
    second = put(store, work, fingerprint="abcd2" + "0" * 59)
    third = put(store, work, fingerprint="abcd1" + "0" * 59, kind="data")
    assert [ref for ref, _ in all_artifacts(store)] == [third, first, second]
    assert resolve(store, "abcd2") == second
    assert resolve(store, "data/abcd") == third
    assert resolve(store, "model/abcd1" + "0" * 59) == first
    assert resolve(store, first.uri) == first
    with pytest.raises(DataError, match=r"more than one artifact.*model/abcd1.*model/abcd2"):
        resolve(store, "model/abcd")
    with pytest.raises(DataError, match=r"names no artifact here; there are: data/abcd1"):
        resolve(store, "beef")
    with pytest.raises(DataError, match="4 or more digits"):
        resolve(store, "abc")


def test_the_manifest_is_plain_json_that_people_can_read(store, work):
    put(store, work)
    (path,) = store.root.rglob("MANIFEST.json")
    manifest = json.loads(path.read_bytes())
    assert manifest["kind"] == "model"
    assert len(manifest["sha256"]) == 64
