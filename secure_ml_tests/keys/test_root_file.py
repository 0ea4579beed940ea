import hashlib

import pytest

from secure_ml.keys.environment_secret import EnvironmentSecret
from secure_ml.keys.errors import KeyRefused, KeyServiceError
from secure_ml.keys.passphrase import Passphrase
from secure_ml.keys.root_file import MAXIMUM_BYTES, MAXIMUM_ROOT_KEYS, Protection, decode, encode, lock_of, new_lock

ROOT_KEYS = (bytes(range(32)), bytes(range(100, 132)))
PASSPHRASE = Passphrase("correct horse battery staple")
SECRET = EnvironmentSecret(bytes(range(32)))

# Files of version 2, kept so that they stay readable.
BARE = bytes.fromhex(
    "534d4c52020000000000000000000000000000000000000000000102030405060708090a0b0c0d0e0f101112131415161718"
    "191a1b1c1d1e1f6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283616148530fad3a2e"
)
BY_PASSPHRASE = bytes.fromhex(
    "534d4c5202011108017adebced02b3da5b85f4ba042bf3cefb534d4c5701434f08ab9e1b50e91987b08b6fd40344181c4555"
    "3302b368969ab46f6f766143586e2d70a860969cd32a204be6d017b3909b2d97d35463f5f0fa9b49b0dfa08f1016c8dfdf77"
    "99ea2ba3f8b03308c5655908b4458d7b6e16989f710f24ba0b7095606022ad793c89eef4f1310e95cf9f8f26f710fa53d929"
    "e33de72602d16dd3bc6e6b2fab4e97be88e812a46ce1123bac364f01"
)
BY_SECRET = bytes.fromhex(
    "534d4c520202000000f9fbdb5aa4217958f57b78ed96520f04534d4c570119e2a635a887df731aa6bf6c36d170a24953a718"
    "bb8cab51b90446068ae0e80037a73c72a62dd6cf6429be40d9e1bbf4da5ac228d987d9fd175a06e0ceab78ce36f75317aace"
    "ad86f9d940d1782fc2648e81ff9b9b68e2285c8c8d9d65744c7dfd33639aa43de4d7f5dfa2b076e55954590e5086413100da"
    "6e74126fdde02cf449b53ca7c4e39120c6ac789caacc7848961270af"
)


@pytest.mark.parametrize(("content", "protection"), [(BARE, None), (BY_PASSPHRASE, PASSPHRASE), (BY_SECRET, SECRET)])
def test_files_of_version_2_stay_readable(content: bytes, protection: Protection | None) -> None:
    assert decode(content, lock_of(content, protection)) == ROOT_KEYS


def test_an_unprotected_file_is_written_byte_by_byte_as_its_page_says() -> None:
    assert encode(ROOT_KEYS, new_lock(None)) == BARE
    assert BARE[:25] == b"SMLR\x02" + bytes(20)
    assert BARE[-8:] == hashlib.sha256(BARE[:-8]).digest()[:8]


def test_a_file_of_version_1_is_written_anew_in_version_2() -> None:
    content = _summed(b"SMLR\x01" + ROOT_KEYS[0])
    lock = lock_of(content, None)
    assert decode(content, lock) == ROOT_KEYS[:1]
    assert encode(ROOT_KEYS, lock) == BARE
    with pytest.raises(KeyServiceError, match="none"):
        lock_of(content, SECRET)


def test_the_most_that_a_file_holds_is_read_whole() -> None:
    root_keys = [bytes([number]) * 32 for number in range(MAXIMUM_ROOT_KEYS)]
    content = encode(root_keys, new_lock(SECRET))
    assert len(content) <= MAXIMUM_BYTES
    assert decode(content, lock_of(content, SECRET)) == tuple(root_keys)


def _summed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()[:8]


def test_a_changed_bit_is_refused() -> None:
    for at in range(8 * len(BY_SECRET)):
        changed = bytearray(BY_SECRET)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(KeyServiceError, match="damaged"):
            lock_of(bytes(changed), SECRET)


def test_a_byte_changed_with_its_checksum_is_refused() -> None:
    # Past magic, version and code all is sealed, or bound to what is.
    for at in range(6, len(BY_SECRET) - 8):
        changed = _summed(BY_SECRET[:at] + bytes([BY_SECRET[at] ^ 1]) + BY_SECRET[at + 1 : -8])
        lock = lock_of(changed, SECRET)
        with pytest.raises(KeyRefused):
            decode(changed, lock)
