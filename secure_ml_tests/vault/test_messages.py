import pytest
from pydantic import ValidationError

from secure_ml.access.stages import Stage
from secure_ml.vault import messages as m

TICKET = m.TicketIssued(body=b"body of a ticket", signature=b"signature of it")
WHO = {"ticket": TICKET, "environment": "training", "project": "clinic"}
SECRET = b"\x00\xfe-key-bytes-\xff"


def verdict(**facts: object) -> m.RecordVerdict:
    fields = {"stage": Stage.RAW, "partition": "", "version_id": "v", "check": "quality", "passed": True}
    return m.RecordVerdict.model_validate({**WHO, **fields, "blocking": True, "facts": facts})


@pytest.mark.parametrize(
    "message",
    [
        TICKET,
        m.KeysReleased(keys={"v1/a": SECRET}, audit_index=3),
        m.WriteBegun(version_id="v", keys={"k": SECRET}, digest_key=SECRET, bucket_key=SECRET, audit_index=3),
        m.KeyDerived(key=SECRET),
        m.DeriveKey.model_validate({**WHO, "by": Stage.MASKED, "derivation": "token:email"}),
        verdict(rows=3, share=1.0, whole=True, text="1", zero=0, no=False, tiny=1e-300),
        m.CommitWrite.model_validate(
            {
                **WHO, "stage": Stage.RAW, "partition": "", "version_id": "v", "digest": "d", "schema_ipc": SECRET,
                "labels": {"x": {"categories": ["pii"], "entity": "none"}}, "parents": ("p",), "parts": (),
                "summary": {"n": 1, "share": 2.0, "text": "x"},
            }
        ),
    ],
    ids=lambda message: type(message).__name__,
)  # fmt: skip
def test_a_message_is_the_same_after_json(message: m.Message) -> None:
    arrived = type(message).model_validate_json(message.model_dump_json())
    assert arrived == message
    assert repr(arrived.model_dump()) == repr(message.model_dump())


def test_no_message_shows_a_key_or_a_ticket() -> None:
    shown = [
        repr(m.KeysReleased(keys={"v1/a": SECRET}, audit_index=3)),
        repr(m.WriteBegun(version_id="v", keys={"k": SECRET}, digest_key=SECRET, bucket_key=SECRET, audit_index=3)),
        repr(m.KeyDerived(key=SECRET)),
        str(m.KeyDerived(key=SECRET)),
        repr(verdict()),
    ]
    assert not [text for text in shown if "key-bytes" in text or "of a ticket" in text or "of it" in text]


def test_an_error_shows_no_input() -> None:
    with pytest.raises(ValidationError) as refused:
        m.KeysReleased.model_validate({"keys": {"k": ["some key bytes"]}, "audit_index": 1})
    assert "some key" not in str(refused.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_figure_that_json_cannot_hold_is_refused(number: float) -> None:
    with pytest.raises(ValidationError):
        verdict(auc=number)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        m.KeyDerived.model_validate({"key": b"", "more": 1})


@pytest.mark.parametrize("run_id", ["x" * 129, "Aadhaar 9876 5432 1098", "", "a/b", "a\n"])
def test_a_run_is_named_by_an_id_and_by_no_text(run_id: str) -> None:
    with pytest.raises(ValidationError):
        m.IssueTicket(environment="training", project="clinic", run_id=run_id, stages=())


@pytest.mark.parametrize("error", ["ValueError: could not convert Zorblax", "x" * 200, ""])
def test_a_write_is_given_up_for_the_class_of_an_error_and_no_text(error: str) -> None:
    fields = {"ticket": m.TicketIssued(body=b"", signature=b""), "environment": "training", "project": "clinic"}
    place = {"stage": "raw", "partition": "", "version_id": "0" * 32}
    with pytest.raises(ValidationError) as refused:
        m.AbandonWrite.model_validate({**fields, **place, "error": error})
    assert "Zorblax" not in str(refused.value)
