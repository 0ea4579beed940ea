import base64

import pytest

from secure_ml.audit.checkpoint import Checkpoint, key_id, sign_checkpoint, verify_checkpoint
from secure_ml.audit.errors import CheckpointRefused
from secure_ml.audit.merkle import EMPTY_ROOT
from secure_ml_tests.audit.signers import SeededSigner

SIGNER = SeededSigner()
CHECKPOINT = Checkpoint("test/log", 12, EMPTY_ROOT)
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)


def _verify(note: str, *, origin: str = "test/log", signer: SeededSigner = SIGNER) -> Checkpoint:
    return verify_checkpoint(note, origin=origin, name=signer.name, public_key=signer.public_key)


def test_the_note_has_the_form_of_c2sp() -> None:
    text, signature = NOTE.split("\n\n")
    assert text == "test/log\n12\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert signature.startswith("— test/log ")
    assert signature.endswith("\n")


def test_a_note_of_another_implementation_verifies() -> None:
    # The example note and verifier key of golang.org/x/mod/sumdb/note, whose format C2SP took over.
    key = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert key_id("PeterNeumann", key[1:]).hex() == "c74f20a3"


def test_what_was_signed_is_returned() -> None:
    assert _verify(NOTE) == CHECKPOINT


def test_lines_of_witnesses_are_skipped() -> None:
    witness = SeededSigner("witness", 2)
    signature = base64.b64encode(
        key_id(witness.name, witness.public_key) + witness.sign_raw(CHECKPOINT.text().encode())
    )
    assert _verify(f"{NOTE}— witness {signature.decode()}\n") == CHECKPOINT


def test_extension_lines_are_signed_and_kept_out_of_the_way() -> None:
    text = CHECKPOINT.text() + "extension\n"
    signature = base64.b64encode(key_id(SIGNER.name, SIGNER.public_key) + SIGNER.sign_raw(text.encode())).decode()
    assert _verify(f"{text}\n— {SIGNER.name} {signature}\n") == CHECKPOINT


def test_another_key_or_log_is_refused() -> None:
    with pytest.raises(CheckpointRefused, match="no signature"):
        _verify(NOTE, signer=SeededSigner(seed=2))
    with pytest.raises(CheckpointRefused, match="another log"):
        _verify(NOTE, origin="other/log")


def test_every_changed_byte_is_refused() -> None:
    encoded = NOTE.encode()
    for at in range(len(encoded)):
        changed = encoded[:at] + bytes([encoded[at] ^ 1]) + encoded[at + 1 :]
        with pytest.raises(CheckpointRefused):
            _verify(changed.decode(errors="replace"))


@pytest.mark.parametrize("cut", [0, 1, 10, len(NOTE) - 1])
def test_a_truncated_note_is_refused(cut: int) -> None:
    with pytest.raises(CheckpointRefused):
        _verify(NOTE[:cut])


@pytest.mark.parametrize(
    "text",
    [
        "test/log\n-1\nAAAA\n",
        "test/log\n012\n{root}\n",
        "test/log\n1\nAAAA\n",
        "\n1\n{root}\n",
        "test/log\n1\n",
        "test/log\n 1\n{root}\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    text = text.format(root=base64.b64encode(EMPTY_ROOT).decode())
    signature = base64.b64encode(key_id(SIGNER.name, SIGNER.public_key) + SIGNER.sign_raw(text.encode())).decode()
    with pytest.raises(CheckpointRefused):
        _verify(f"{text}\n— {SIGNER.name} {signature}\n")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_key_name_that_breaks_the_note_is_refused(name: str) -> None:
    with pytest.raises(CheckpointRefused):
        sign_checkpoint(CHECKPOINT, SeededSigner(name))


@pytest.mark.parametrize("origin", ["", "a\nb"])
def test_an_origin_that_breaks_the_note_is_refused(origin: str) -> None:
    with pytest.raises(CheckpointRefused):
        sign_checkpoint(Checkpoint(origin, 1, EMPTY_ROOT), SIGNER)
