"""Versions, heads and verdicts in the state database: written in one transaction, believed only when signed.

Belongs here: the rows and their verification. Must stay out: decisions, keys of data, files.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.errors import SignatureRefused
from secure_ml.keys.signing import SigningKey
from secure_ml.state.database import State
from secure_ml.state.tables import heads, manifests, verdicts
from secure_ml.vault.errors import ChecksNotPassed, HeadMoved, NothingThere, Tampered
from secure_ml.vault.log_index import LogIndex
from secure_ml.vault.manifest import MANIFEST_KIND, Address, Manifest

VERDICT_KIND = "verdict.v1"
_FORMAT = "secure_ml/verdict/1"


@dataclass(frozen=True)
class Verdict:
    """What a check found on one version.

    Attributes:
        version_id: the version.
        check: the check's name.
        passed: whether it passed.
        blocking: whether its failure closes the version to readers.
        facts: counts and figures that back it; no value of a person.
        audit_index: the log entry that recorded it.
    """

    version_id: str
    check: str
    passed: bool
    blocking: bool
    facts: Mapping[str, int | float | str | bool]
    audit_index: int

    def to_bytes(self) -> bytes:
        """Canonical JSON, format secure_ml/verdict/1."""
        content = {"format": _FORMAT, **vars(self), "facts": dict(self.facts)}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, verified: bytes) -> "Verdict":
        """The inverse of `to_bytes`; the signature must have been verified before.

        Raises:
            Tampered: the bytes are of another format.
        """
        content: dict[str, Any] = json.loads(verified)
        if content.pop("format", None) != _FORMAT:
            raise Tampered(f"a verdict is not of the format {_FORMAT}; a newer secure_ml may have written it")
        return cls(**content)


class VersionStore:
    """The versions of an installation.

    Args:
        state: the database.
        log: the audit log in the same database.
        signing_key: signs manifests and verdicts.
    """

    def __init__(self, state: State, log: AuditLog, signing_key: SigningKey) -> None:
        self._state, self._log, self._signing_key = state, log, signing_key
        self._index = LogIndex(state, log)

    @property
    def index(self) -> LogIndex:
        """What the log knows last; one for all who ask, since it is read from the whole log."""
        return self._index

    def sequence(self, address: Address) -> int:
        """Sequence of the head at this address; 0 when there is none. Unverified: for compare-and-swap only."""
        with self._state.reading() as connection:
            found = connection.scalar(select(heads.c.sequence).where(*_at(address)))
        return int(found or 0)

    def head(self, address: Address) -> tuple[Manifest, bytes]:
        """The verified manifest of the head, and its bytes.

        Raises:
            NothingThere: nothing was ever committed here.
            Tampered: head or manifest is not what the log knows last.
        """
        with self._index.snapshot() as connection:
            head = connection.execute(select(heads).where(*_at(address))).mappings().one_or_none()
            last = self._index.last_commit(str(address))
        if head is None and last is None:
            raise NothingThere(f"{address} has no committed version; materialise it first")
        if head is None or (head["audit_index"], head["version_id"]) != last:
            raise Tampered(f"the head of {address} is not the version that the audit log committed last")
        try:
            manifest, body = self.manifest(head["version_id"])
        except NothingThere:
            raise Tampered(f"the manifest of the head of {address} is gone; restore the state") from None
        if manifest.address != address or manifest.sequence != head["sequence"]:
            raise Tampered(f"the head of {address} points to another version than was committed there")
        return manifest, body

    def manifest(self, version_id: str) -> tuple[Manifest, bytes]:
        """The verified manifest of a version, and its bytes.

        Raises:
            NothingThere: no such version was committed.
            Tampered: its signature or its id does not fit.
        """
        with self._state.reading() as connection:
            query = select(manifests.c.body, manifests.c.signature).where(manifests.c.version_id == version_id)
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NothingThere(f"version {version_id} was never committed")
        self._verify(row, MANIFEST_KIND, what=f"the manifest of version {version_id}")
        manifest = Manifest.from_bytes(row["body"])
        if manifest.version_id != version_id:
            raise Tampered(f"the manifest of version {version_id} is another version's")
        return manifest, bytes(row["body"])

    def all_heads(self) -> list[Manifest]:
        """The verified heads of every project and environment, by address.

        Raises:
            Tampered: one is not what the log knows last, or is gone.
        """
        return self._heads_below("")

    def heads(self, *, environment: str, project: str) -> list[Manifest]:
        """The verified heads of a project, by stage and partition.

        Raises:
            Tampered: one is not what the log knows last, or is gone.
        """
        return self._heads_below(f"{environment}/{project}/")

    def _heads_below(self, prefix: str) -> list[Manifest]:
        # By the log's word, not by the table's: a head that was deleted is missed.
        with self._index.snapshot():
            addresses = self._index.addresses(prefix)
        return [self.head(Address.parse(address))[0] for address in addresses]

    def is_committed(self, version_id: str) -> bool:
        """Whether a version was ever a head."""
        with self._state.reading() as connection:
            query = select(manifests.c.version_id).where(manifests.c.version_id == version_id)
            return connection.execute(query).one_or_none() is not None

    def commit(self, manifest: Manifest, *, expected_sequence: int, event: AuditEvent, now: datetime) -> int:
        """Makes a version the head: manifest, log entry and head in one transaction. Returns the entry's index.

        Raises:
            HeadMoved: the head is no longer the one that the write began from.
        """
        body = manifest.to_bytes()
        signature = self._signing_key.sign(body, kind=MANIFEST_KIND)
        address = manifest.address
        with self._state.transaction() as connection:
            index = self._log.append(connection, event)
            row = {
                **vars(address),
                "version_id": manifest.version_id,
                "sequence": manifest.sequence,
                "digest": manifest.digest,
                "rows": manifest.rows,
                "body": body,
                "signature": signature,
                "audit_index": index,
                "committed_at": now.isoformat(),
            }
            current = connection.scalar(select(heads.c.sequence).where(*_at(address))) or 0
            if current != expected_sequence:
                raise HeadMoved(f"another run committed to {address} meanwhile; start the run again")
            connection.execute(insert(manifests).values(row))
            _move_head(connection, address, manifest, index)
        return index

    def record_verdict(self, verdict: Verdict, *, event: AuditEvent) -> int:
        """Stores a verdict, signed, in place of an earlier one of the same check. Returns the log entry's index."""
        with self._state.transaction() as connection:
            index = self._log.append(connection, event)
            placed = Verdict(**{**vars(verdict), "audit_index": index})
            body = placed.to_bytes()
            same = verdicts.c.version_id == verdict.version_id, verdicts.c.check_name == verdict.check
            connection.execute(delete(verdicts).where(*same))
            connection.execute(
                insert(verdicts).values(
                    version_id=verdict.version_id,
                    check_name=verdict.check,
                    passed=verdict.passed,
                    blocking=verdict.blocking,
                    body=body,
                    signature=self._signing_key.sign(body, kind=VERDICT_KIND),
                    audit_index=index,
                )
            )
        return index

    def verdicts(self, version_id: str) -> dict[str, Verdict]:
        """The verified verdicts on a version, by check.

        Raises:
            Tampered: one is forged, or an older one was put back.
        """
        with self._index.snapshot() as connection:
            query = select(verdicts).where(verdicts.c.version_id == version_id)
            rows = [
                (row, self._index.last_verdict(version_id, row["check_name"]))
                for row in connection.execute(query).mappings()
            ]
        found = {}
        for row, last in rows:
            what = f"the verdict of check {row['check_name']} on version {version_id}"
            self._verify(row, VERDICT_KIND, what=what)
            verdict = Verdict.from_bytes(row["body"])
            if (verdict.version_id, verdict.check, verdict.audit_index) != (version_id, row["check_name"], last):
                raise Tampered(f"{what} is not the one that the audit log recorded last")
            found[verdict.check] = verdict
        return found

    def require_passed(self, manifest: Manifest, checks: tuple[str, ...]) -> None:
        """Returns if every check has its verdict and no blocking one failed.

        Raises:
            ChecksNotPassed: names the checks that are missing or failed.
        """
        found = self.verdicts(manifest.version_id)
        missing = [check for check in checks if check not in found]
        failed = [verdict.check for verdict in found.values() if verdict.blocking and not verdict.passed]
        if missing:
            raise ChecksNotPassed(f"{manifest.address} has no verdict of {', '.join(missing)}; run its checks first")
        if failed:
            raise ChecksNotPassed(f"{manifest.address} failed its blocking checks {', '.join(failed)}; mend the data")

    def _verify(self, row: RowMapping, kind: str, *, what: str) -> None:
        try:
            self._signing_key.verification_key.verify(bytes(row["body"]), bytes(row["signature"]), kind=kind)
        except SignatureRefused:
            raise Tampered(f"{what} does not bear this installation's signature; restore the state") from None


def _at(address: Address) -> list[ColumnElement[bool]]:
    return [heads.c[name] == value for name, value in vars(address).items()]


def _move_head(connection: Connection, address: Address, manifest: Manifest, index: int) -> None:
    values = {"version_id": manifest.version_id, "sequence": manifest.sequence, "audit_index": index}
    if manifest.sequence == 1:
        connection.execute(insert(heads).values(**vars(address), **values))
    else:
        connection.execute(update(heads).where(*_at(address)).values(values))
