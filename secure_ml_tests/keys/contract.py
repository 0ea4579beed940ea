"""What every key service keeps, whatever it speaks to.

Belongs here: one suite over the port. Must stay out: what only one service does.

A service's test module subclasses `KeyServiceContract` under a name that begins with `Test` and gives the three
fixtures.
"""

import threading
from collections.abc import Callable

import pytest

from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError
from secure_ml.keys.service import KeyService

KEY = bytes(range(100, 132))
CONTEXT = b"v1/training/loans/version/data/0/financial"
CONTEXTS = {
    "empty": b"",
    "a key's id": CONTEXT,
    "the longest id of a key": b"/".join((b"v1", *[b"x" * 128] * 4, b"9999999999", b"y" * 128)),
    "1024 bytes": b"c" * 1024,
    "every byte": bytes(range(256)),
    "what looks escaped": b"%2F%252F+ &=?#",
}


class KeyServiceContract:
    """The contract; every test gets a root key of its own."""

    @pytest.fixture
    def service(self) -> KeyService:
        """A service over a fresh root key."""
        raise NotImplementedError

    @pytest.fixture
    def reopen(self, service: KeyService) -> Callable[[], KeyService]:
        """Opens the root key of `service` once more, as another process does."""
        raise NotImplementedError

    @pytest.fixture
    def other(self) -> KeyService:
        """A service of the same kind over another fresh root key."""
        raise NotImplementedError

    @pytest.mark.parametrize("name", CONTEXTS)
    def test_a_key_unwraps_for_its_context(self, service: KeyService, name: str) -> None:
        assert service.unwrap(service.wrap(KEY, context=CONTEXTS[name]), context=CONTEXTS[name]) == KEY

    @pytest.mark.parametrize("length", [1, 16, 33, 4096])
    def test_a_key_of_any_length_unwraps(self, service: KeyService, length: int) -> None:
        key = bytes(at % 251 for at in range(length))
        assert service.unwrap(service.wrap(key, context=CONTEXT), context=CONTEXT) == key

    def test_another_process_unwraps(self, service: KeyService, reopen: Callable[[], KeyService]) -> None:
        opened = reopen()
        assert opened.key_id == service.key_id
        assert opened.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY

    def test_wrapping_twice_gives_other_bytes_and_shows_no_key(self, service: KeyService) -> None:
        made = {service.wrap(KEY, context=CONTEXT) for _ in range(5)}
        assert len(made) == 5
        for wrapped in made:
            assert KEY[:8] not in wrapped
            assert KEY.hex().encode()[:16] not in wrapped

    @pytest.mark.parametrize("context", [b"", CONTEXT[:-1], CONTEXT + b"x", CONTEXT.upper(), b"%2F", b"other"])
    def test_another_context_is_refused(self, service: KeyService, context: bytes) -> None:
        wrapped = service.wrap(KEY, context=CONTEXT)
        with pytest.raises(KeyRefused):
            service.unwrap(wrapped, context=context)

    def test_contexts_that_escape_alike_are_not_alike(self, service: KeyService) -> None:
        wrapped = service.wrap(KEY, context=b"a/b")
        for context in (b"a%2Fb", b"a%2fb", b"a/b ", b"a+b"):
            with pytest.raises(KeyRefused):
                service.unwrap(wrapped, context=context)

    def test_a_flipped_bit_anywhere_is_refused(self, service: KeyService) -> None:
        wrapped = service.wrap(KEY, context=CONTEXT)
        # Every byte, one bit each; every bit of them is the envelope's own test.
        for at in range(len(wrapped)):
            changed = wrapped[:at] + bytes([wrapped[at] ^ (1 << at % 8)]) + wrapped[at + 1 :]
            with pytest.raises((KeyRefused, KeyDestroyed)):
                service.unwrap(changed, context=CONTEXT)

    def test_every_truncation_and_extension_is_refused(self, service: KeyService) -> None:
        wrapped = service.wrap(KEY, context=CONTEXT)
        for changed in (*(wrapped[:length] for length in range(0, len(wrapped), 3)), wrapped[:-1], wrapped + b"\0"):
            with pytest.raises(KeyRefused):
                service.unwrap(changed, context=CONTEXT)

    def test_another_root_key_unwraps_nothing(self, service: KeyService, other: KeyService) -> None:
        assert service.key_id != other.key_id
        with pytest.raises((KeyRefused, KeyNotFound)):
            other.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT)

    def test_wrapped_bytes_name_their_version(self, service: KeyService, reopen: Callable[[], KeyService]) -> None:
        wrapped = service.wrap(KEY, context=CONTEXT)
        assert service.wrapped_by(wrapped) == reopen().wrapped_by(wrapped) == service.key_id

    @pytest.mark.parametrize("unverified_wrapped", [b"", b"\0" * 200, b"SMLW", b"vault:v1:AAAA", b"x" * 3])
    def test_what_is_no_wrapped_key_is_refused(self, service: KeyService, unverified_wrapped: bytes) -> None:
        with pytest.raises(KeyRefused):
            service.wrapped_by(unverified_wrapped)
        with pytest.raises(KeyRefused):
            service.unwrap(unverified_wrapped, context=CONTEXT)

    def test_a_rotated_root_key_wraps_by_its_new_version_and_unwraps_by_all(self, service: KeyService) -> None:
        key_ids, made = [service.key_id], [service.wrap(KEY, context=CONTEXT)]
        for _ in range(2):
            key_ids.append(service.rotate())
            made.append(service.wrap(KEY, context=CONTEXT))
            assert service.key_id == key_ids[-1]
        assert len(set(key_ids)) == 3
        assert [service.wrapped_by(wrapped) for wrapped in made] == key_ids
        assert [service.unwrap(wrapped, context=CONTEXT) for wrapped in made] == [KEY] * 3

    def test_a_rotation_is_known_to_who_opened_before_and_after(
        self, service: KeyService, reopen: Callable[[], KeyService]
    ) -> None:
        before, old = reopen(), service.wrap(KEY, context=CONTEXT)
        new_id = service.rotate()
        new = service.wrap(KEY, context=CONTEXT)
        for process in (before, reopen()):
            assert process.key_id == new_id
            assert process.wrapped_by(process.wrap(KEY, context=CONTEXT)) == new_id
            assert process.unwrap(old, context=CONTEXT) == process.unwrap(new, context=CONTEXT) == KEY

    def test_a_retired_version_unwraps_nothing_and_the_others_do(
        self, service: KeyService, reopen: Callable[[], KeyService]
    ) -> None:
        before, old_id, old = reopen(), service.key_id, service.wrap(KEY, context=CONTEXT)
        service.rotate()
        new = service.wrap(KEY, context=CONTEXT)
        service.retire(old_id)
        for process in (service, before, reopen()):
            assert process.unwrap(new, context=CONTEXT) == KEY
            with pytest.raises((KeyRefused, KeyDestroyed)):
                process.unwrap(old, context=CONTEXT)
            assert process.wrapped_by(old) == old_id

    def test_versions_are_retired_one_after_the_other(self, service: KeyService) -> None:
        made = []
        for _ in range(3):
            made.append((service.key_id, service.wrap(KEY, context=CONTEXT)))
            service.rotate()
        new = service.wrap(KEY, context=CONTEXT)
        while made:
            old_id, old = made.pop(0)
            service.retire(old_id)
            with pytest.raises((KeyRefused, KeyDestroyed)):
                service.unwrap(old, context=CONTEXT)
            for wrapped in (new, *(wrapped for _, wrapped in made)):
                assert service.unwrap(wrapped, context=CONTEXT) == KEY

    def test_a_rewrapped_key_outlives_the_retired_version(self, service: KeyService) -> None:
        old_id, old = service.key_id, service.wrap(KEY, context=CONTEXT)
        service.rotate()
        rewrapped = service.wrap(service.unwrap(old, context=CONTEXT), context=CONTEXT)
        service.retire(old_id)
        assert service.unwrap(rewrapped, context=CONTEXT) == KEY

    def test_the_version_that_wraps_is_never_retired(
        self, service: KeyService, reopen: Callable[[], KeyService]
    ) -> None:
        stale = reopen()
        for _ in range(2):
            wrapped = service.wrap(KEY, context=CONTEXT)
            with pytest.raises(KeyServiceError) as refused:
                stale.retire(service.key_id)
            assert not isinstance(refused.value, KeyNotFound)
            assert service.unwrap(wrapped, context=CONTEXT) == KEY
            service.rotate()

    def test_only_a_living_version_is_retired(self, service: KeyService, other: KeyService) -> None:
        old_id = service.key_id
        service.rotate()
        service.retire(old_id)
        wrapped = service.wrap(KEY, context=CONTEXT)
        for key_id in (old_id, other.key_id, "", "no such key", service.key_id + "0", service.key_id[:-1]):
            with pytest.raises(KeyNotFound):
                service.retire(key_id)
        assert service.unwrap(wrapped, context=CONTEXT) == KEY

    def test_threads_share_it(self, service: KeyService) -> None:
        opened: list[bytes] = []
        keys = [bytes([number]) * 32 for number in range(8)]

        def work(key: bytes) -> None:
            for _ in range(3):
                opened.append(service.unwrap(service.wrap(key, context=key), context=key))

        threads = [threading.Thread(target=work, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(opened) == sorted(keys * 3)

    def test_its_texts_show_no_key(self, service: KeyService) -> None:
        wrapped = service.wrap(KEY, context=CONTEXT)
        with pytest.raises(KeyRefused) as refused:
            service.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), context=CONTEXT)
        for text in (repr(service), str(service), str(refused.value), repr(refused.value)):
            assert KEY.hex()[:16] not in text
            assert repr(KEY)[2:10] not in text
