"""A checkpoint signer for tests, made of a fixed seed."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class SeededSigner:
    """A `Signer` whose key everybody knows."""

    def __init__(self, name: str = "test/log", seed: int = 1) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign_raw(self, message: bytes) -> bytes:
        return self._key.sign(message)
