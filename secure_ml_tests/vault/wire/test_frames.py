"""Messages and errors over a stream: what arrives is what was sent, and anything else is refused."""

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from secure_ml.access.stages import SIDES, Stage
from secure_ml.audit.errors import AuditLogTampered
from secure_ml.keys.errors import KeyDestroyed
from secure_ml.vault import messages as m
from secure_ml.vault.errors import AccessRefused, Tampered
from secure_ml.vault.wire.frames import (
    LARGEST_ANSWER,
    LARGEST_FRAME,
    KernelFailed,
    WireError,
    decode,
    encode,
    encode_error,
    messages_by_name,
    receive_frame,
    send_frame,
)

KNOWN = messages_by_name()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_message_arrives_as_it_was_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    keys = m.KeysReleased(keys={"v1/a/b/c/data/0/pii": bytes(range(32))}, audit_index=7)
    send_frame(ends[0], encode(keys))
    frame = receive_frame(ends[1])
    assert frame is not None
    assert decode(frame, KNOWN) == keys


def test_stages_and_empty_fields_survive() -> None:
    asked = m.IssueTicket(environment="training", project="clinic", run_id="r", stages=(Stage.RAW, Stage.MASKED))
    assert decode(encode(asked), KNOWN) == asked


@pytest.mark.parametrize("error", [AccessRefused, Tampered, KeyDestroyed])
def test_an_error_is_raised_again_with_its_class_and_words(error: type[Exception]) -> None:
    with pytest.raises(error, match="no, because"):
        decode(encode_error(error("no, because"), "no, because"), KNOWN)


def test_an_error_that_needs_more_than_words_keeps_its_class() -> None:
    with pytest.raises(AuditLogTampered, match="entry 3 is missing"):
        decode(encode_error(AuditLogTampered("x", entry_index=3), "entry 3 is missing"), KNOWN)


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "ValueError", "", "Exception", "BaseException"])
def test_no_error_but_our_own_is_raised_by_name(name: str) -> None:
    frame = b'{"error":"%s","words":"w"}' % name.encode()
    with pytest.raises(KernelFailed, match="w"):
        decode(frame, KNOWN)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"kind":"IssueTicket"}',
        b'{"kind":"NoSuch","body":{}}',
        b'{"kind":"IssueTicket","body":{"surplus":1}}',
        b'{"kind":["IssueTicket"],"body":{}}',
        b'{"error":"AccessRefused"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"kind":"KeysReleased","body":{"keys":{"a":"not base64!"},"audit_index":0}}',
    ],
    ids=range(12),
)
def test_what_is_no_message_is_refused_and_not_quoted(frame: bytes) -> None:
    with pytest.raises(WireError, match="no message that is known") as refused:
        decode(frame, KNOWN)
    assert refused.value.__cause__ is None


def test_a_closed_connection_is_no_frame(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[0].close()
    assert receive_frame(ends[1]) is None


@pytest.mark.parametrize("sent", [b"\x00", struct.pack(">I", 10) + b"123", struct.pack(">I", LARGEST_FRAME + 1)])
def test_a_frame_that_is_cut_off_or_too_long_is_refused(ends: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    ends[0].sendall(sent)
    ends[0].close()
    with pytest.raises(WireError):
        receive_frame(ends[1])


def test_a_message_that_is_too_long_is_not_sent(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(WireError, match="at most"):
        send_frame(ends[0], bytes(LARGEST_FRAME + 1))


def test_the_keys_of_forty_columns_in_every_part_that_a_policy_can_ask_for_fit_into_an_answer(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    place = "v1/training/loan_approval/" + "f" * 32
    keys = {
        f"{place}/{side}/{bucket}/financial_health_pii/column_of_a_name_{number}": bytes(32)
        for side in SIDES for bucket in range(1024) for number in range(40)
    }  # fmt: skip
    frame = encode(m.KeysReleased(keys=keys, audit_index=7))
    assert len(frame) > LARGEST_FRAME
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(send_frame, ends[0], frame, largest=LARGEST_ANSWER)
        assert receive_frame(ends[1], largest=LARGEST_ANSWER) == frame
        sent.result()
