"""The installation that version 2 of the formats wrote is read by today's code, format by format."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from secure_ml.keys.context import KeyContext
from secure_ml.keys.derivation import derive
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.signing import VerificationKey
from secure_ml.keys.store import KeyStore
from secure_ml.policy import treatments
from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.policy.training import Split
from secure_ml.protection.classify.finding import read_findings
from secure_ml.protection.mask.token import Token
from secure_ml.protection.mask.treatment import ColumnReader
from secure_ml.release.candidate import read_candidate
from secure_ml.release.registration import CARD, REGISTRATION
from secure_ml.release.validation import read_evidence
from secure_ml.state.database import State
from secure_ml.training.sampling import one_row_each
from secure_ml.training.split import sides, split
from secure_ml.vault.artefacts import read_artefacts
from secure_ml.vault.content_digest import ContentDigest, keyed_digest
from secure_ml.vault.door import bucket_of
from secure_ml.vault.manifest import MANIFEST_KIND
from secure_ml_tests.training.people import dataset, policy
from secure_ml_tests.vectors.reading import Earlier, copy_of

PERIODS = ("p1", "p2")
TABLES = [f"{stage}[{period}]" for stage in ("classified", "masked", "raw") for period in PERIODS]
BOOSTED = [f"training/boosted/{stage}" for stage in (*TABLES, "split", "trained")]
PEOPLE = [f"training/people/{stage}" for stage in (*TABLES, "registered", "split", "trained", "validated")]
ADDRESSES = sorted([*BOOSTED, *PEOPLE])


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    return copy_of("version-2", tmp_path_factory.mktemp("version-2"))


def secret_of(earlier: Earlier, purpose: str) -> bytes:
    return derive(earlier.installation.keys.secret("project/training/people", create=False), purpose=purpose)


# Keys


def test_the_root_key_file_opens(earlier: Earlier) -> None:
    assert (earlier.root / "keys" / "root.key").read_bytes()[:4] == b"SMLR"
    assert LocalFileKeyService.open(earlier.root / "keys").key_id == earlier.expected["root_key_fingerprint"]


def test_the_signing_key_is_the_same_key(earlier: Earlier) -> None:
    key = earlier.installation.signing_key
    known = VerificationKey.parse(earlier.expected["verification_key"])
    assert key.verification_key == known
    known.verify(b"statement", key.sign(b"statement", kind="manifest.v1"), kind="manifest.v1")


def test_every_key_of_the_key_store_opens_and_none_is_written_anew(earlier: Earlier) -> None:
    file = earlier.root / "keys" / "keys.db"
    before = file.read_bytes()
    store = KeyStore.connect(f"sqlite:///{file}", service=LocalFileKeyService.open(earlier.root / "keys"))
    contexts = [
        KeyContext("training", "people", manifest.version_id, part.section, part.bucket, category)
        for manifest in map(earlier.head, PEOPLE)
        for part in manifest.parts
        for category in {"footer"} | {label.key_category for label in manifest.labels.values()}
    ]
    assert {len(key) for key in store.open_all(contexts).values()} == {32}
    assert len(store.secret("audit/commitments", create=False)) == 32
    assert file.read_bytes() == before


# The state database


def test_the_state_database_opens_and_its_whole_log_verifies(earlier: Earlier) -> None:
    log = earlier.installation.log
    found = log.verify(earlier_checkpoint=earlier.expected["early_checkpoint"])
    assert (found.size, found.erased) == (earlier.expected["log_size"], 0)
    assert found.consistent_with is not None
    assert 0 < found.consistent_with < found.size


def test_entries_of_the_log_tell_what_they_told(earlier: Earlier) -> None:
    entries = list(earlier.installation.log.entries())
    assert [entry.entry_index for entry in entries] == list(range(earlier.expected["log_size"]))
    assert {entry.time for entry in entries} == {"2031-05-01T09:30:00.000000+00:00"}
    assert {entry.actor for entry in entries} == {"os-user:steward", "service:kernel", "steward"}
    commits = [entry.resource for entry in entries if entry.action == "version.commit"]
    assert sorted(commits) == ADDRESSES


def test_a_database_of_its_migration_is_brought_to_todays_schema(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from secure_ml.state.tables import metadata

    earlier = copy_of("version-2", tmp_path)
    state = State.open(f"sqlite:///{earlier.root / 'home' / 'state' / 'state.db'}")
    with state.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_budget_is_as_spent_as_it_was(earlier: Earlier) -> None:
    spent = earlier.installation.ledger.spent("training/people")
    assert (spent.epsilon, spent.delta) == (Decimal("1.5"), Decimal("2e-6"))
    (charge,) = [entry for entry in earlier.installation.log.entries() if entry.action == "budget.charge"]
    assert f"charge-{charge.entry_index}" == earlier.expected["predictions"]["charge_id"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_manifest_is_verified_read_and_written_as_the_same_bytes(earlier: Earlier, address: str) -> None:
    manifest = earlier.head(address)
    _, body = earlier.installation.versions.manifest(manifest.version_id)
    assert str(manifest.address) == address
    assert json.loads(body)["format"] == "secure_ml/manifest/1"
    signature = earlier.installation.signing_key.sign(body, kind=MANIFEST_KIND)
    # Ed25519 has one signature for each message, so the stored bytes are those that today's code signs.
    assert manifest.to_bytes() == body
    assert signature in (earlier.root / "home" / "state" / "state.db").read_bytes()


def test_a_verdict_is_verified_and_read(earlier: Earlier) -> None:
    manifest = earlier.head("training/people/masked[p1]")
    verdict = earlier.installation.versions.verdicts(manifest.version_id)["minimisation"]
    assert (verdict.check, verdict.passed, verdict.blocking) == ("minimisation", True, True)
    assert verdict.facts == {"rows": 30, "share": 0.5, "note": "all in order", "complete": True}


# Parts and what follows from the project's secret


@pytest.mark.parametrize("period", PERIODS)
def test_rows_come_out_of_encrypted_parts_as_they_went_in(earlier: Earlier, period: str) -> None:
    expected = earlier.expected["rows"][period]
    found = earlier.dataset(f"training/people/masked[{period}]").read(list(expected[0])).to_pylist()
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_a_columns_key_alone_opens_it(earlier: Earlier) -> None:
    manifest = earlier.head("training/people/masked[p1]")
    rows = [row for part in manifest.parts for row in earlier.rows_of(manifest, part, ["income"])]
    assert sum(batch.num_rows for batch in rows) == 30


@pytest.mark.parametrize("address", PEOPLE)
def test_the_content_digest_is_computed_as_it_was(earlier: Earlier, address: str) -> None:
    manifest = earlier.head(address)
    digests = []
    for part in manifest.parts:
        content = ContentDigest(manifest.schema)
        for batch in earlier.rows_of(manifest, part, manifest.schema.names):
            content.update(batch)
        digests.append((part.section, part.bucket, content.digest()))
    assert keyed_digest(digests, key=secret_of(earlier, "content digest")) == manifest.digest


def test_a_subject_is_in_the_bucket_that_it_was_in(earlier: Earlier) -> None:
    manifest = earlier.head("training/people/masked[p1]")
    key = secret_of(earlier, "bucket")
    for part in manifest.parts:
        assert part.rows
        for batch in earlier.rows_of(manifest, part, ["person"]):
            assert set(bucket_of(batch["person"], buckets=2, key=key)) == {part.bucket}


def test_a_subject_has_the_token_that_it_had(earlier: Earlier) -> None:
    known = earlier.expected["tokens"]
    reader = ColumnReader(policy().columns["person"], ())
    key = secret_of(earlier, "token:subject_id")
    declared = treatments.Token(kind="token", algorithm="hmac_sha256")
    tokens = Token(reader, declared, "token:subject_id", key).apply(pa.array(list(known)))
    assert tokens.values.to_pylist() == list(known.values())


def test_a_subject_is_on_the_side_that_it_was_on(earlier: Earlier) -> None:
    masked = {period: earlier.dataset(f"training/people/masked[{period}]") for period in PERIODS}
    rule = policy(split={"validation": 0.3})
    today = split(masked, rule, subject_key=secret_of(earlier, "subject")).read().to_pylist()
    assert {row["person"]: row["__side"] for row in today} == earlier.expected["sides"]
    manifest = earlier.head("training/people/split")
    stored = {
        (person, part.section)
        for part in manifest.parts
        for batch in earlier.rows_of(manifest, part, ["person"])
        for person in batch["person"].to_pylist()
    }
    assert stored == set(earlier.expected["sides"].items())
    assert {side for _, side in stored} == {"train", "validation", "test"}


KEY = bytes(range(32))
# T is train, V validation, E test: the sides of rows that are alike but for one number, three of them wholly.
ROW_SIDES = "ETEETTVTVEVT"
CHOSEN_ROWS = [6, 7, 13, 14, 15]


def test_a_row_without_a_subject_is_on_the_side_that_it_was_on() -> None:
    rule = policy(subject=False, split={"validation": 0.3})
    rows = [
        {"income": float(number), "color": "red", "group": "g1", "paid": "yes"} for number in (1, 1, 1, *range(2, 11))
    ]
    today = split({"p1": dataset(rows)}, rule, subject_key=KEY).read()["__side"].to_pylist()
    assert "".join({"train": "T", "validation": "V", "test": "E"}[side] for side in today) == ROW_SIDES


def test_the_row_that_stands_for_a_subject_is_the_one_that_did() -> None:
    subjects = pa.array([f"subject-{number % 5}" for number in range(20)])
    codes = np.arange(40, dtype=np.int32).reshape(2, 20)
    chosen = one_row_each(subjects, codes, np.arange(20) % 3 == 0, key=KEY)
    assert chosen.tolist() == CHOSEN_ROWS


def test_shares_cut_the_hashes_where_they_did() -> None:
    edges = [0, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1]
    shares = Split(test=0.25, validation=0.25)
    assert sides(np.array(edges, dtype=np.uint64), shares).tolist() == [
        "test", "test", "validation", "validation", "train", "train",
    ]  # fmt: skip


# What the stages stored


def test_a_findings_table_is_read(earlier: Earlier) -> None:
    (batch,) = earlier.dataset("training/people/classified[p1]").scan()
    person, remark = read_findings(batch)
    assert (person.column, person.entity, person.validated) == ("person", Entity.SUBJECT_ID, 57)
    assert (remark.category, remark.identifiability) == (Category.PII, Identifiability.DIRECT)
    assert dict(remark.embedded) == {Entity.PHONE: 2, Entity.EMAIL: 1}
    assert remark.also == (Entity.PERSON_NAME,)


@pytest.mark.parametrize(("project", "told"), [("people", "predictions"), ("boosted", "boosted")])
def test_a_model_says_what_it_said(earlier: Earlier, project: str, told: str) -> None:
    from secure_ml.training.model_file import content_digest

    expected = earlier.expected[told]
    candidate = read_candidate(earlier.dataset(f"training/{project}/trained"))
    batch = pa.RecordBatch.from_pylist(expected["rows"])
    np.testing.assert_allclose(candidate.model.predict_probability(batch), expected["model"], rtol=1e-12)
    assert content_digest(candidate.model) == candidate.digest == expected["digest"]
    assert (candidate.twin is None) == (expected["twin"] is None)
    if candidate.twin is not None:
        np.testing.assert_allclose(candidate.twin.predict_probability(batch), expected["twin"], rtol=1e-12)


def test_a_training_record_is_read(earlier: Earlier) -> None:
    private, boosted = (read_candidate(earlier.dataset(f"training/{name}/trained")) for name in ("people", "boosted"))
    assert (private.periods, private.held_out) == (PERIODS, ("p2",))
    assert private.charge_id == earlier.expected["predictions"]["charge_id"]
    assert (boosted.held_out, boosted.charge_id) == ((), "")


def test_evidence_is_read(earlier: Earlier) -> None:
    evidence = read_evidence(earlier.dataset("training/people/validated"))
    assert evidence.evaluation.model_digest == earlier.expected["predictions"]["digest"]
    assert evidence.facts["estimator"] == "dp_additive"


def test_a_registration_is_there_with_its_card(earlier: Earlier) -> None:
    files = read_artefacts(earlier.dataset("training/people/registered"))
    entry = json.loads(files[REGISTRATION])
    assert entry["format"] == "secure_ml/registration/1"
    assert (entry["name"], entry["version"], entry["status"]) == ("training.people", 1, "candidate")
    assert files[CARD].decode().startswith("# Model card: Invented people\n")
