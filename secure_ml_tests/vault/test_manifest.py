import json
from dataclasses import replace

import pyarrow as pa
import pytest

from secure_ml.vault.errors import AccessRefused, Tampered
from secure_ml.vault.manifest import Address, Manifest, Part
from secure_ml.vault.versions import Verdict
from secure_ml_tests.fakes.masked_table import LABELS, SCHEMA

MANIFEST = Manifest(
    address=Address("training", "clinic", "masked", "2024-01"),
    version_id="f" * 32,
    sequence=3,
    digest="ab" * 32,
    rows=7,
    schema=SCHEMA,
    labels=LABELS,
    parents=("e" * 32,),
    policy_digest="cd" * 32,
    parts=(Part("data", 0, "data-0000.parquet", 100, "01" * 32, 4), Part("data", 1, "data-0001.parquet", 9, "02", 3)),
    summary={"dropped": 1, "share": 0.25, "note": "none"},
    run_id="run-1",
    created="2031-05-01T00:00:00+00:00",
)


def test_a_manifest_is_the_same_after_its_bytes() -> None:
    read = Manifest.from_bytes(MANIFEST.to_bytes())
    assert read == MANIFEST
    assert read.to_bytes() == MANIFEST.to_bytes()


def test_its_bytes_are_canonical() -> None:
    content = json.loads(MANIFEST.to_bytes())
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert MANIFEST.to_bytes() == canonical
    assert content["format"] == "secure_ml/manifest/1"


def test_every_field_of_a_manifest_is_in_its_bytes() -> None:
    changes: dict[str, object] = {
        "address": Address("training", "clinic", "masked", "2024-02"), "version_id": "0" * 32, "sequence": 4,
        "digest": "00" * 32, "rows": 8, "schema": SCHEMA.set(1, pa.field("income", pa.int64())), "parents": (),
        "labels": {**LABELS, "income": LABELS["gender"]}, "policy_digest": "00", "parts": MANIFEST.parts[:1],
        "summary": {}, "run_id": "run-2", "created": "2031-05-01T00:00:01+00:00",
    }  # fmt: skip
    assert set(changes) == set(vars(MANIFEST))
    bodies = {replace(MANIFEST, **{name: value}).to_bytes() for name, value in changes.items()}
    assert len(bodies | {MANIFEST.to_bytes()}) == len(changes) + 1


def test_a_manifest_of_another_format_is_refused() -> None:
    body = MANIFEST.to_bytes().replace(b"secure_ml/manifest/1", b"secure_ml/manifest/2")
    with pytest.raises(Tampered, match="newer secure_ml"):
        Manifest.from_bytes(body)


def test_a_manifest_with_a_label_of_unknown_words_is_refused() -> None:
    changed = MANIFEST.to_bytes().replace(b'"entity":"', b'"entity":"un')
    with pytest.raises(Tampered, match="no label"):
        Manifest.from_bytes(changed)


@pytest.mark.parametrize("partition", ["", "2024-01", "a_B-9"])
def test_an_address_is_the_same_after_its_text(partition: str) -> None:
    address = Address("training", "clinic", "raw", partition)
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "a/b", "a/b/c/d", "a/b/c[d/e]", "../b/c", "a/b/c[..]", "a b/c/d"])
def test_a_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AccessRefused):
        Address.parse(text)


def test_the_bytes_of_a_verdict_hold_all_of_it() -> None:
    verdict = Verdict("f" * 32, "quality", True, False, {"rows": 3, "share": 0.5}, 12)
    assert verdict.to_bytes() == (
        b'{"audit_index":12,"blocking":false,"check":"quality","facts":{"rows":3,"share":0.5},'
        b'"format":"secure_ml/verdict/1","passed":true,"version_id":"' + b"f" * 32 + b'"}'
    )
    assert Verdict.from_bytes(verdict.to_bytes()) == verdict


@pytest.mark.parametrize("mark", [b'"secure_ml/verdict/2"', b'"secure_ml/manifest/1"', b"null", b"1"])
def test_a_verdict_of_another_format_is_refused(mark: bytes) -> None:
    body = Verdict("f" * 32, "quality", True, False, {}, 12).to_bytes().replace(b'"secure_ml/verdict/1"', mark)
    with pytest.raises(Tampered, match="newer secure_ml"):
        Verdict.from_bytes(body)
