from dataclasses import replace
from datetime import UTC, datetime

import pytest

from secure_ml.access.promotions import BEFORE, Evidence, EvidenceVersion, Promotion, PromotionUnreadable

AT = datetime(2031, 5, 1, 12, tzinfo=UTC)
EVIDENCE = Evidence(
    environment="test",
    project="clinic",
    policy_digest="a" * 64,
    code_digest="b" * 64,
    versions=(EvidenceVersion("raw", "first", "c" * 32, "d" * 64),),
    warned=("validated.fairness",),
    made_by=("person:maker-1",),
    attested_at=AT,
    audit_index=7,
)
PROMOTION = Promotion("e" * 32, "training", EVIDENCE, "key+00000000+AAAA", "person:officer-1", AT, 9)
GOLDEN_EVIDENCE = (
    '{"attested_at":"2031-05-01T12:00:00+00:00","audit_index":7,"code_digest":"' + "b" * 64 + '","environment":"test",'
    '"format":"secure_ml/promotion-evidence/1","made_by":["person:maker-1"],"policy_digest":"' + "a" * 64 + '",'
    '"project":"clinic","versions":[{"digest":"' + "d" * 64 + '","partition":"first","stage":"raw",'
    '"version_id":"' + "c" * 32 + '"}],"warned":["validated.fairness"]}'
)


def test_the_bytes_are_those_of_the_page() -> None:
    assert EVIDENCE.to_bytes().decode() == GOLDEN_EVIDENCE
    bare = GOLDEN_EVIDENCE.replace('"format":"secure_ml/promotion-evidence/1",', "")
    assert PROMOTION.to_bytes().decode() == (
        '{"attested_by":"key+00000000+AAAA","audit_index":9,"environment":"training","evidence":' + bare + ","
        '"format":"secure_ml/promotion/1","promotion_id":"' + "e" * 32 + '","recorded_at":"2031-05-01T12:00:00+00:00",'
        '"recorded_by":"person:officer-1"}'
    )


def test_they_are_read_back() -> None:
    assert Evidence.from_bytes(EVIDENCE.to_bytes()) == EVIDENCE
    assert Promotion.from_bytes(PROMOTION.to_bytes()) == PROMOTION


def test_one_is_not_read_as_the_other() -> None:
    with pytest.raises(PromotionUnreadable, match="not of the format secure_ml/promotion/1"):
        Promotion.from_bytes(EVIDENCE.to_bytes())
    with pytest.raises(PromotionUnreadable, match="not of the format secure_ml/promotion-evidence/1"):
        Evidence.from_bytes(PROMOTION.to_bytes().replace(b"promotion/1", b"promotion/2"))


def test_it_is_for_one_policy_and_one_code() -> None:
    today = {"policy_digest": "a" * 64, "code_digest": "b" * 64}
    assert PROMOTION.is_for(**today)
    assert not PROMOTION.is_for(**{**today, "policy_digest": "0" * 64})
    assert not replace(PROMOTION, evidence=replace(EVIDENCE, code_digest="0" * 64)).is_for(**today)


def test_production_follows_training_and_training_follows_test() -> None:
    assert dict(BEFORE) == {"training": "test", "production": "training"}
