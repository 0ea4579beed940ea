"""The contract of key services against a real server of Vault or OpenBao.

    VAULT_ADDR=https://… VAULT_TOKEN=… .venv/bin/python -m secure_ml_tests.keys.check_vault

Belongs here: the suite's fixtures over a server that the environment names. Must stay out: what every run of the tests
does. The token must be allowed to make, use and delete keys of the Transit engine at `VAULT_MOUNT` (`transit` where it
is not set); each test makes keys with names of their own, beginning with `secure-ml-check-`, and deletes them.
"""

import os
import secrets
import sys
from collections.abc import Callable, Iterator

import pytest

from secure_ml.keys.service import KeyService
from secure_ml.keys.vault_transit import VaultTransitKeyService
from secure_ml_tests.keys.contract import CONTEXT, KEY, KeyServiceContract

MOUNT = os.environ.get("VAULT_MOUNT", "transit")


def open_new_key() -> Iterator[VaultTransitKeyService]:
    name = f"secure-ml-check-{secrets.token_hex(8)}"
    service = VaultTransitKeyService.from_uri(f"vault:{name}?mount={MOUNT}", environ=os.environ, create=True)
    yield service
    transit = service._client.secrets.transit
    transit.update_key_configuration(name=name, mount_point=MOUNT, deletion_allowed=True)
    assert transit.delete_key(name=name, mount_point=MOUNT).ok, f"delete the key {MOUNT}/{name} by hand"


class TestRealVault(KeyServiceContract):
    """The contract, and what only a real server shows."""

    @pytest.fixture
    def service(self) -> Iterator[KeyService]:
        yield from open_new_key()

    @pytest.fixture
    def reopen(self, service: KeyService) -> Callable[[], KeyService]:
        name = service.key_id.rpartition("/")[2].rpartition(":")[0]
        uri = f"vault:{name}?mount={MOUNT}"
        return lambda: VaultTransitKeyService.from_uri(uri, environ=os.environ, create=False)

    @pytest.fixture
    def other(self) -> Iterator[KeyService]:
        yield from open_new_key()

    def test_a_retired_version_is_gone_from_the_server(self, service: VaultTransitKeyService) -> None:
        old_id, old = service.key_id, service.wrap(KEY, context=CONTEXT)
        service.rotate()
        service.retire(old_id)
        name, transit = old_id.rpartition("/")[2].rpartition(":")[0], service._client.secrets.transit
        lowered = transit.update_key_configuration(name=name, mount_point=MOUNT, min_decryption_version=1)
        assert not lowered.ok
        read = transit.read_key(name=name, mount_point=MOUNT).json()["data"]
        assert list(read["keys"]) == ["2"]
        assert service.wrapped_by(old) == old_id


if __name__ == "__main__":
    if not os.environ.get("VAULT_ADDR"):
        sys.exit("set VAULT_ADDR and VAULT_TOKEN to those of a server for trials")
    sys.exit(pytest.main([__file__, "-p", "no:cacheprovider"]))
