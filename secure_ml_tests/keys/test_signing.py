import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from secure_ml.audit.checkpoint import Checkpoint, Signer, key_id, sign_checkpoint, verify_checkpoint
from secure_ml.keys.errors import KeyServiceError, SignatureRefused
from secure_ml.keys.signing import SigningKey, VerificationKey

SEED = bytes(range(32))
NAME = "example.org/secure_ml"
MESSAGE = b'{"manifest":1}'
# RFC 8032, 7.1, test 2: secret key, public key, message, signature.
RFC_8032 = (
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
)


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.from_seed(SEED, name=NAME)


def _known_key() -> SigningKey:
    return SigningKey("k", Ed25519PrivateKey.from_private_bytes(bytes.fromhex(RFC_8032[0])))


def test_bare_signatures_are_those_of_rfc_8032() -> None:
    key = _known_key()
    assert key.public_key.hex() == RFC_8032[1]
    assert key.sign_raw(bytes.fromhex(RFC_8032[2])).hex() == RFC_8032[3]


def test_a_statement_is_signed_over_the_domain_and_its_kind() -> None:
    key = _known_key()
    separated = b"secure_ml signature v1\x00" + b"\x00\x00\x00\x07" + b"verdict" + MESSAGE
    assert key.sign(MESSAGE, kind="verdict") == key._private_key.sign(separated)


def test_a_signature_verifies_for_its_message_kind_and_key_only(key: SigningKey) -> None:
    public, signature = key.verification_key, key.sign(MESSAGE, kind="manifest")
    public.verify(MESSAGE, signature, kind="manifest")
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    wrong = [(MESSAGE + b" ", signature, "manifest"), (MESSAGE, signature, "verdict"), (MESSAGE, flipped, "manifest")]
    for message, signed, kind in [*wrong, (MESSAGE, b"", "manifest"), (MESSAGE, signature[:-1], "manifest")]:
        with pytest.raises(SignatureRefused):
            public.verify(message, signed, kind=kind)
    with pytest.raises(SignatureRefused):
        VerificationKey(NAME, _known_key().public_key).verify(MESSAGE, signature, kind="manifest")
    with pytest.raises(SignatureRefused):
        public.verify_raw(MESSAGE, signature)


def test_kind_and_message_cannot_be_split_in_two_ways(key: SigningKey) -> None:
    signature = key.sign(b"b", kind="a")
    with pytest.raises(SignatureRefused):
        key.verification_key.verify(b"", signature, kind="ab")


def test_a_bare_signature_never_stands_for_a_statement(key: SigningKey) -> None:
    separated = b"secure_ml signature v1\x00" + b"\x00\x00\x00\x08" + b"manifest" + MESSAGE
    with pytest.raises(SignatureRefused):
        key.sign_raw(separated)
    with pytest.raises(SignatureRefused):
        key.verification_key.verify_raw(separated, key.sign(MESSAGE, kind="manifest"))


@pytest.mark.parametrize("kind", ["", "Manifest", "a b", "x" * 65])
def test_a_kind_of_another_form_is_refused(kind: str, key: SigningKey) -> None:
    with pytest.raises(KeyServiceError):
        key.sign(MESSAGE, kind=kind)


def test_a_seed_gives_the_same_key_again(key: SigningKey) -> None:
    again = SigningKey.from_seed(SEED, name=NAME)
    assert (again.name, again.public_key) == (NAME, key.public_key)
    assert SigningKey.from_seed(bytes.fromhex(RFC_8032[0]), name=NAME).public_key.hex() == RFC_8032[1]


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(KeyServiceError, match="32 bytes"):
        SigningKey.from_seed(bytes(length), name=NAME)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "é"])
def test_a_name_that_breaks_a_note_is_refused(name: str) -> None:
    with pytest.raises(KeyServiceError, match="name"):
        SigningKey.from_seed(SEED, name=name)


def test_a_signing_key_signs_checkpoints(key: SigningKey) -> None:
    signer: Signer = key
    checkpoint = Checkpoint(NAME, 3, b"\1" * 32)
    note = sign_checkpoint(checkpoint, signer)
    assert verify_checkpoint(note, origin=NAME, name=NAME, public_key=key.public_key) == checkpoint


def test_the_published_key_is_read_back(key: SigningKey) -> None:
    encoded = key.verification_key.encode()
    assert VerificationKey.parse(encoded) == key.verification_key
    assert encoded.split("+")[1] == key_id(NAME, key.public_key).hex()


def test_a_verifier_key_of_another_implementation_is_read() -> None:
    # The example of golang.org/x/mod/sumdb/note.
    encoded = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert VerificationKey.parse(encoded).encode() == encoded


@pytest.mark.parametrize(
    "spoiled", ["", "a+b", "n+00000000+AQ==", f"n+00000000+{base64.b64encode(bytes([1]) * 33).decode()}"]
)
def test_a_verifier_key_that_does_not_fit_is_refused(spoiled: str) -> None:
    with pytest.raises(KeyServiceError):
        VerificationKey.parse(spoiled)


def test_its_text_shows_no_key(key: SigningKey) -> None:
    assert repr(key) == f"SigningKey(name={NAME!r})"
