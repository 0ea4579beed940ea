"""The envelope around what a service encrypted, and what a service's URI and address may be."""

import hmac
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secure_ml.keys.envelope import unseal
from secure_ml.keys.errors import KeyRefused, KeyServiceError
from secure_ml.keys.remote import RemoteKeyService, read_uri, require_endpoint

KEY = b"k" * 32
CONTEXT = b"v1/training/loans/version/data/0/financial"
KEY_ID = "test:root:v1"
# A golden of version 1, wrapped by `Honest`: keys wrapped by it must open for ever.
WRAPPED_BY_VERSION_1 = (
    "534d4c5301000c746573743a726f6f743a7631003c801cff14abdc0f4a8fd2e9844533c84bcd2558e43f53ae96b140f8"
    "24f89fa045b5d3220578056bdd1b2a236b236f9ec7f6e296c14c6c44ca3a2e077d534d4c5701a9624ccf48de2a53216f"
    "5e5917c2abe6cf593ea842657bac07065a111793efed0ceee51bb552fce6730062c54e598072f35aea1843ce008e9440"
    "9fc100ae56cf017c7318428a3ef4ecdfdaf714f88d4bee1f3593c2fab1ccefd44e39693f3047f1c461044355a375e9dd"
    "cacd"
)


class Honest(RemoteKeyService):
    """A service whose root key is in this file."""

    SCHEME = "test"
    ROOT = bytes(range(32))

    def _encrypt(self, fresh_key: bytes, context: bytes) -> tuple[str, bytes]:
        nonce = hmac.digest(fresh_key, b"nonce", "sha256")[:12]
        return KEY_ID, nonce + AESGCM(self.ROOT).encrypt(nonce, fresh_key, context)

    def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
        nonce, ciphertext = unverified_ciphertext[:12], unverified_ciphertext[12:]
        return AESGCM(self.ROOT).decrypt(nonce, ciphertext, context)


class Lying(Honest):
    """Decrypts everything to one key."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer

    def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
        return self.answer


def test_a_key_wrapped_by_version_1_opens() -> None:
    wrapped = bytes.fromhex(WRAPPED_BY_VERSION_1)
    assert Honest().unwrap(wrapped, context=CONTEXT) == KEY
    assert Honest().wrapped_by(wrapped) == KEY_ID


def test_the_bytes_are_those_of_the_format_page() -> None:
    wrapped = Honest().wrap(KEY, context=CONTEXT)
    assert wrapped[:5] == b"SMLS\x01"
    (length,) = struct.unpack(">H", wrapped[5:7])
    assert wrapped[7 : 7 + length] == KEY_ID.encode()
    at = 7 + length
    (length,) = struct.unpack(">H", wrapped[at : at + 2])
    header, ciphertext, sealed = (
        wrapped[: at + 2 + length],
        wrapped[at + 2 : at + 2 + length],
        wrapped[at + 2 + length :],
    )
    fresh_key = AESGCM(Honest.ROOT).decrypt(ciphertext[:12], ciphertext[12:], CONTEXT)
    assert unseal(fresh_key, sealed, context=header + CONTEXT) == KEY


def test_the_service_never_gets_the_key_and_gets_another_each_time() -> None:
    asked: list[bytes] = []

    class Curious(Honest):
        def _encrypt(self, fresh_key: bytes, context: bytes) -> tuple[str, bytes]:
            asked.append(fresh_key)
            return super()._encrypt(fresh_key, context)

    for _ in range(3):
        Curious().wrap(KEY, context=CONTEXT)
    assert len(set(asked)) == 3
    assert KEY not in asked


@pytest.mark.parametrize("answer", [b"w" * 32, b"w" * 31, b"", KEY], ids=["another key", "short", "empty", "the key"])
def test_a_service_that_decrypts_another_key_is_found_out(answer: bytes) -> None:
    wrapped = Honest().wrap(KEY, context=CONTEXT)
    with pytest.raises(KeyRefused):
        Lying(answer).unwrap(wrapped, context=CONTEXT)


def test_what_the_service_cannot_decrypt_is_not_handed_out() -> None:
    with pytest.raises(KeyServiceError, match="nothing was wrapped"):
        Lying(b"w" * 32).wrap(KEY, context=CONTEXT)


def test_every_flipped_bit_is_refused() -> None:
    class Keen(Honest):
        """Decrypts whatever the ciphertext is, so that nothing but the envelope refuses."""

        def _decrypt(self, unverified_key_id: str, unverified_ciphertext: bytes, context: bytes) -> bytes:
            return fresh_key

        def _encrypt(self, fresh_key_: bytes, context: bytes) -> tuple[str, bytes]:
            nonlocal fresh_key
            fresh_key = fresh_key_
            return super()._encrypt(fresh_key_, context)

    fresh_key = b""
    wrapped = Keen().wrap(KEY, context=CONTEXT)
    for at in range(len(wrapped)):
        for bit in range(8):
            changed = wrapped[:at] + bytes([wrapped[at] ^ (1 << bit)]) + wrapped[at + 1 :]
            with pytest.raises(KeyRefused):
                Keen().unwrap(changed, context=CONTEXT)
    for length in range(len(wrapped)):
        with pytest.raises(KeyRefused):
            Keen().unwrap(wrapped[:length], context=CONTEXT)


def test_another_services_key_is_refused_before_it_is_asked() -> None:
    class Other(Honest):
        SCHEME = "other"

    with pytest.raises(KeyRefused, match="other:"):
        Other().unwrap(Honest().wrap(KEY, context=CONTEXT), context=CONTEXT)


def test_a_uri_is_cut_into_name_and_parameters() -> None:
    read = read_uri("vault:root-1?mount=a%2Fb&address=https://x:8200", scheme="vault", allowed=("mount", "address"))
    assert read == ("root-1", {"mount": "a/b", "address": "https://x:8200"})
    assert read_uri("awskms:arn:aws:kms:x:1:alias/y", scheme="awskms", allowed=()) == ("arn:aws:kms:x:1:alias/y", {})


@pytest.mark.parametrize(
    "uri",
    [
        "vault:",
        "vault",
        "",
        "file:root",
        "vault://host/root",
        "vault:root#s3cr3t",
        "vault:root?token=s3cr3t",
        "vault:root?mount=a&mount=s3cr3t",
        "vault:root?mount",
        "vault:root?mount=a&s3cr3t",
        "vault://[s3cr3t",
    ],
)
def test_another_uri_is_refused_and_not_quoted(uri: str) -> None:
    with pytest.raises(KeyServiceError) as refused:
        read_uri(uri, scheme="vault", allowed=("mount",))
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://vault.bank.example:8200", "https://10.0.0.1", "http://127.0.0.1:8200", "http://[::1]:8200/"]
)
def test_an_encrypted_or_loopback_address_is_taken(url: str) -> None:
    assert require_endpoint(url, named_by="X") == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://vault.bank.example:8200",
        "http://10.0.0.1",
        "http://localhost:8200",
        "http://127.0.0.1.bank.example",
        "http://127.0.0.1@bank.example",
        "https://u:s3cr3t@bank.example",
        "https://s3cr3t@bank.example",
        "https://bank.example?s3cr3t",
        "https://bank.example#s3cr3t",
        "https://bank.example:s3cr3t",
        "https://bank.example/\nHost: s3cr3t",
        "https://",
        "bank.example:8200",
        "ftp://127.0.0.1",
        "file:///etc/s3cr3t",
        "https://[s3cr3t",
        "",
    ],
)
def test_another_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(KeyServiceError, match=r"^X ") as refused:
        require_endpoint(url, named_by="X")
    assert "s3cr3t" not in str(refused.value)
