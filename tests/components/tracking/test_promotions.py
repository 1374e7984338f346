"""The promotion log: numbered, sealed, append-only; a decision against an old champion is refused."""

import pytest

from r1flow.components.core.errors import ConfigError, DataError, IntegrityError, PromotionConflict
from r1flow.components.store.manifest import ArtifactRef
from r1flow.components.store.objects import open_store
from r1flow.components.tracking.promotions import append_promotion, before_last, promoted_models, promotions


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def make_ref(digit, kind="sft"):
    return ArtifactRef(
        kind=kind,
        fingerprint=digit * 64,
        uri=f"s3://bucket/r1/artifacts/{kind}/{digit * 16}",
        manifest_sha256=digit * 64,
    )


EVALUATION = make_ref("e", "evaluation")
EVIDENCE = {"pass_at_1": 0.9, "format": 1.0}


def promote(store, digit, model="r1", **facts):
    after = promotions(store, model)
    return append_promotion(store, model, make_ref(digit), EVALUATION, EVIDENCE, **{"after": after, **facts})


def take_back(store, model="r1"):
    log = promotions(store, model)
    target = before_last(log)
    return append_promotion(
        store, model, target.ref, target.evaluation, target.evidence, after=log, action="rollback", by="ada"
    )


def test_the_log_grows_and_says_who_why_and_on_what_evidence(store):
    assert promotions(store, "r1") == []
    first, second = promote(store, "1"), promote(store, "2", action="human", reason="shorter", by="ada@host")
    assert promotions(store, "r1") == [first, second]
    assert (first.number, first.previous, second.number, second.previous) == (1, None, 2, make_ref("1"))
    assert (second.ref, second.evaluation, second.evidence) == (make_ref("2"), EVALUATION, EVIDENCE)
    assert (second.action, second.reason, second.by) == ("human", "shorter", "ada@host")
    assert store.list("promotions/r1") == ["promotions/r1/000001.json", "promotions/r1/000002.json"]


def test_a_version_is_the_artifacts_number_for_ever(store):
    assert [promote(store, digit).version for digit in "121321"] == [1, 2, 1, 3, 2, 1]


def test_the_reigning_champion_is_not_entered_twice_but_may_come_back_later(store):
    first = promote(store, "1")
    assert promote(store, "1") == first
    assert store.list("promotions/r1") == ["promotions/r1/000001.json"]
    promote(store, "2")
    assert promote(store, "1").number == 3


def test_models_have_logs_of_their_own(store):
    promote(store, "1", "r1")
    promote(store, "2", "r1-tiny")
    assert [p.ref for p in promotions(store, "r1")] == [make_ref("1")]
    assert promoted_models(store) == ["r1", "r1-tiny"]


def test_a_decision_against_a_champion_that_is_no_longer_one_is_refused(store):
    promote(store, "1", by="run a")
    seen = promotions(store, "r1")
    promote(store, "2", by="run b")
    with pytest.raises(PromotionConflict, match=r"promotion 2 was made by run b just now \(s3://.*2 is champion\)"):
        promote(store, "3", after=seen)
    with pytest.raises(PromotionConflict):
        promote(store, "1", after=seen)  # it was champion, and is not any more
    assert [p.ref for p in promotions(store, "r1")] == [make_ref("1"), make_ref("2")]


def test_two_that_promote_the_same_artifact_at_once_have_both_done_it(store):
    assert promote(store, "1", after=[]) == promote(store, "1", after=[])
    assert len(promotions(store, "r1")) == 1


def test_rollbacks_go_further_back_and_do_not_alternate(store):
    for digit in "123":
        promote(store, digit)
    assert take_back(store).ref == make_ref("2")
    assert take_back(store).ref == make_ref("1")
    with pytest.raises(DataError, match="no earlier champion"):
        take_back(store)
    promote(store, "4")
    back = take_back(store)
    assert (back.ref, back.version, back.action, back.by) == (make_ref("1"), 1, "rollback", "ada")
    assert [p.number for p in promotions(store, "r1")] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("harm", ["flip", "delete", "move"])
def test_a_log_that_was_tampered_with_is_not_read(store, harm):
    for digit in "123":
        promote(store, digit)
    raw = store.read_bytes("promotions/r1/000002.json")
    store.delete("promotions/r1/000002.json")
    if harm == "flip":
        store.create("promotions/r1/000002.json", raw.replace(b"0.9", b"0.8"))
    if harm == "move":
        store.create("promotions/r1/000002.json", store.read_bytes("promotions/r1/000003.json"))
    with pytest.raises(IntegrityError, match=r"damaged|stands where promotion 2 of r1 belongs"):
        promotions(store, "r1")


@pytest.mark.parametrize("name", ["team/math", "a:b", "it's", "..", ""])
def test_a_name_that_is_no_folder_and_no_word_in_a_filter_is_refused(store, name):
    with pytest.raises(ConfigError, match="no name for a registered model"):
        append_promotion(store, name, make_ref("1"), EVALUATION, EVIDENCE, after=[])
    assert store.list("promotions") == []
