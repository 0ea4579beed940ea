"""Claim: rotating the keys of 10,000 versions, data untouched, takes at most 40 times the bare cryptography: seconds.

Five key-encryption keys a version, in a key store and an audit log of their own; a new root key, a new key of the
environment, every key rewrapped and durable, the old root key retired. Ours: its processor time, which a busy machine
disturbs least. Peer: that of decrypting and encrypting as many keys with `cryptography`'s AESGCM in memory, with no
commitment, no store and no log. The table also says what the clock said, and what a reader, in a process of its own,
waited at most for a version's keys meanwhile.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING

from report import at_most, report

if TYPE_CHECKING:
    from secure_ml.keys.context import KeyContext
    from secure_ml.keys.custody import KeyCustody

VERSIONS, KEYS_EACH, GOAL = 10_000, 5, 40.0
ENVIRONMENT = "training"


@dataclass(frozen=True)
class Cost:
    """What a rotation took, in seconds: of the processor, of the clock, and a reader's longest wait."""

    cpu: float
    wall: float
    longest_wait: float


def contexts(versions: int) -> "list[KeyContext]":
    """Places of the keys."""
    from secure_ml.keys.context import KeyContext

    return [
        KeyContext(ENVIRONMENT, "loans", f"{number:032x}", "data", 0, category)
        for number in range(versions)
        for category in ("financial", "footer", "health", "internal", "pii")[:KEYS_EACH]
    ]


def custody(folder: Path) -> "KeyCustody":
    """Opens the key store and log in a folder, as a process does."""
    from datetime import UTC, datetime

    from secure_ml.audit.log import AuditLog
    from secure_ml.keys.custody import KeyCustody
    from secure_ml.keys.opening import open_key_service
    from secure_ml.keys.signing import SigningKey
    from secure_ml.keys.store import KeyStore
    from secure_ml.state.database import State

    service = open_key_service((folder / "keys").as_uri(), environ={}, create=True)
    store = KeyStore.connect(f"sqlite:///{folder / 'keys' / 'keys.db'}", service=service)
    state = State.open(f"sqlite:///{folder / 'state.db'}")
    log = AuditLog(
        state,
        SigningKey.from_seed(bytes(32), name="benchmark"),
        origin="benchmark",
        commitment_secret=bytes(32),
        clock=lambda: datetime.now(UTC),
    )
    return KeyCustody(store, state=state, log=log, actor="service:benchmark")


def read_meanwhile(folder: Path, versions: int, started: Event, stop: Event, longest: list[float]) -> None:
    """Opens the keys of one version after another until told to stop; appends the longest wait in seconds."""
    keys, places, waited, at = custody(folder), contexts(versions), 0.0, 0
    while not stop.is_set():
        chosen = places[at * KEYS_EACH : (at + 1) * KEYS_EACH]
        begun = time.perf_counter()
        keys.open_all(chosen)
        waited = max(waited, time.perf_counter() - begun)
        at = (at + 1) % versions
        started.set()
    longest.append(waited)


def rotate(folder: Path, versions: int) -> Cost:
    """Rotates while another process reads.

    Raises:
        RuntimeError: a key is another one afterwards.
    """
    keys, places = custody(folder), contexts(versions)
    made = keys.create(places)
    with multiprocessing.Manager() as manager:
        started, stop, longest = manager.Event(), manager.Event(), manager.list()
        reader = multiprocessing.Process(target=read_meanwhile, args=(folder, versions, started, stop, longest))
        reader.start()
        started.wait()
        cpu, begun = time.process_time(), time.perf_counter()
        progress = keys.rotate([ENVIRONMENT], seconds=3600)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
        stop.set()
        reader.join()
        if not progress.finished or progress.left or len(progress.roots.retired) != 1 or len(longest) != 1:
            raise RuntimeError("the rotation did not end, or the reader failed")
        if custody(folder).open_all(places) != made:
            raise RuntimeError("a key is another one after the rotation")
        return Cost(cpu, wall, longest[0])


def rewrap_bare(keys: int) -> float:
    """Decrypts and encrypts as many keys, in memory; returns seconds of the processor."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    old, new = AESGCM(os.urandom(32)), AESGCM(os.urandom(32))
    nonces = [os.urandom(12) for _ in range(keys)]
    wrapped = [old.encrypt(nonce, os.urandom(32), b"%032x" % at) for at, nonce in enumerate(nonces)]
    begun = time.process_time()
    rewrapped = [
        new.encrypt(os.urandom(12), old.decrypt(nonce, one, b"%032x" % at), b"%032x" % at)
        for at, (nonce, one) in enumerate(zip(nonces, wrapped, strict=True))
    ]
    seconds = time.process_time() - begun
    return seconds if len(rewrapped) == keys else 0.0


def main(versions: int = VERSIONS) -> int:
    """Measures and reports; returns 0 when the claim holds."""
    with tempfile.TemporaryDirectory() as made:
        ours = rotate(Path(made), versions)
    keys = versions * KEYS_EACH
    peer = rewrap_bare(keys)
    result = at_most(
        f"rotating the keys of {versions:,} versions takes at most {GOAL:g} times as long as rewrapping them bare",
        ours=ours.cpu,
        peer=peer,
        unit="seconds of the processor",
        goal=GOAL,
        keys=keys,
        wall_s=round(ours.wall, 2),
        longest_wait_of_a_reader_s=round(ours.longest_wait, 3),
    )
    table = [
        ["rotated, durable and on record", f"{ours.cpu:.2f}", f"{ours.cpu / keys * 1e6:.0f}", f"{ours.wall:.2f}"],
        ["rewrapped by AESGCM in memory", f"{peer:.2f}", f"{peer / keys * 1e6:.0f}", ""],
        ["longest wait of a reader", "", "", f"{ours.longest_wait:.2f}"],
    ]
    header = [f"{versions:,} versions, {keys:,} keys", "processor s", "µs a key", "clock s"]
    return report(result, header=header, rows=table)


if __name__ == "__main__":
    sys.exit(main())
