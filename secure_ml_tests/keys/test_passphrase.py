import hashlib
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from secure_ml.keys.environment_secret import EnvironmentSecret
from secure_ml.keys.errors import KeyRefused, KeyServiceError
from secure_ml.keys.local_file import LocalFileKeyService
from secure_ml.keys.passphrase import OWASP_COST, Passphrase, ScryptCost

TEXT = "correct horse battery staple"


def test_the_derivation_is_that_of_rfc_7914() -> None:
    # Section 12. Its costs are below what a root key file may have, so it is the library that is asked.
    expected = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    assert (
        Scrypt(salt=b"SodiumChloride", length=64, n=1 << 14, r=8, p=1).derive(b"pleaseletmein").hex()[:64] == expected
    )


@pytest.mark.parametrize("cost", [ScryptCost(17, 8, 1), ScryptCost(18, 8, 2)])
def test_a_passphrase_is_stretched_at_the_costs_of_the_file(cost: ScryptCost) -> None:
    salt = bytes(range(16))
    expected = hashlib.scrypt(TEXT.encode(), salt=salt, n=1 << cost.log2_n, r=8, p=cost.p, maxmem=1 << 30, dklen=32)
    assert Passphrase(TEXT).key(bytes((cost.log2_n, cost.r, cost.p)) + salt) == expected


def test_a_new_protection_costs_what_owasp_asks_and_has_its_own_salt() -> None:
    first, second = Passphrase(TEXT).new_parameters(), Passphrase(TEXT).new_parameters()
    assert first[:3] == second[:3] == bytes((17, 8, 1))
    assert first[3:] != second[3:]
    assert ScryptCost(17, 8, 1) == OWASP_COST


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("protected") / "keys"
    LocalFileKeyService.create(directory, protection=Passphrase(TEXT))
    return (directory / "root.key").read_bytes()


def _changed(protected: bytes, at: int, by: bytes, directory: Path) -> Path:
    content = protected[:at] + by + protected[at + len(by) : -8]
    directory.chmod(0o700)
    _private(directory / "root.key", content + hashlib.sha256(content).digest()[:8])
    return directory


COSTS = "0.8.1 10.8.1 16.8.1 21.8.1 63.8.1 255.8.1 17.0.1 17.1.1 17.255.1 17.8.0 17.8.5 17.8.255 255.255.255"


@pytest.mark.parametrize("cost", COSTS.split())
def test_costs_of_a_hostile_file_are_refused_at_once(cost: str, protected: bytes, tmp_path: Path) -> None:
    directory = _changed(protected, 6, bytes(map(int, cost.split("."))), tmp_path)
    began = time.process_time()
    with pytest.raises(KeyServiceError, match="scrypt's costs"):
        LocalFileKeyService.open(directory, protection=Passphrase(TEXT))
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("at", [9, 24, 25, 60, -9])
def test_a_changed_salt_or_seal_is_refused(at: int, protected: bytes, tmp_path: Path) -> None:
    at %= len(protected)
    directory = _changed(protected, at, bytes([protected[at] ^ 1]), tmp_path)
    with pytest.raises(KeyRefused):
        LocalFileKeyService.open(directory, protection=Passphrase(TEXT))


def test_the_same_letters_typed_otherwise_are_the_same_passphrase() -> None:
    parameters = bytes((17, 8, 1)) + bytes(16)
    composed, decomposed = Passphrase("na\u00efve caf\u00e9 at noon"), Passphrase("nai\u0308ve cafe\u0301 at noon")
    assert composed.key(parameters) == decomposed.key(parameters)


def test_a_short_passphrase_makes_no_protection_but_opens_one(tmp_path: Path) -> None:
    with pytest.raises(KeyServiceError, match="at least 15"):
        LocalFileKeyService.create(tmp_path / "keys", protection=Passphrase("fourteen chars"))
    assert not (tmp_path / "keys" / "root.key").exists()
    assert len(Passphrase("short").key(bytes((17, 8, 1)) + bytes(16))) == 32


def _private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_passphrase_is_read_from_the_named_file(end: bytes, tmp_path: Path) -> None:
    named = _private(tmp_path / "passphrase", TEXT.encode() + end)
    read = Passphrase.read({"SECURE_ML_PASSPHRASE_FILE": str(named)})
    assert read.text == TEXT


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo", b"tab\there", b"\xff\xfe", b"x" * 5000])
def test_a_file_that_holds_no_passphrase_is_refused(content: bytes, tmp_path: Path) -> None:
    named = _private(tmp_path / "passphrase", content)
    with pytest.raises(KeyServiceError):
        Passphrase.read({"SECURE_ML_PASSPHRASE_FILE": str(named)})


def test_a_passphrase_file_open_to_others_is_refused(tmp_path: Path) -> None:
    named = _private(tmp_path / "passphrase", TEXT.encode(), 0o640)
    with pytest.raises(KeyServiceError, match="chmod 600") as refused:
        Passphrase.read({"SECURE_ML_PASSPHRASE_FILE": str(named)})
    assert "horse" not in str(refused.value)


def test_without_a_file_it_says_what_to_set() -> None:
    with pytest.raises(KeyServiceError, match="SECURE_ML_PASSPHRASE_FILE"):
        Passphrase.read({})


@pytest.mark.parametrize(
    ("encoded", "says"),
    [
        ("", "openssl rand"),
        ("   ", "openssl rand"),
        ("not base64!", "not in Base64"),
        ("AAAA", "not 32 or more"),
        ("A" * 42, "Base64"),
        ("A" * 40 + "AA==", "not 32 or more"),
    ],
)
def test_a_root_secret_is_32_random_bytes_or_more(encoded: str, says: str) -> None:
    with pytest.raises(KeyServiceError, match=says) as refused:
        EnvironmentSecret.read({"SECURE_ML_ROOT_SECRET": encoded})
    assert not encoded.strip() or encoded not in str(refused.value)


def test_a_root_secret_is_read_in_base64() -> None:
    read = EnvironmentSecret.read({"SECURE_ML_ROOT_SECRET": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"})
    assert read.secret == bytes(range(32))
    first, second = read.new_parameters(), read.new_parameters()
    assert read.key(first) != read.key(second)
