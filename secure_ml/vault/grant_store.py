"""Grants in the state database: written in one transaction with their log entry, believed only when signed and last.

Belongs here: the rows and their verification. Must stay out: who may ask for a grant or approve one.
"""

from dataclasses import replace

from sqlalchemy import RowMapping, insert, select, update

from secure_ml.access.grants import GRANT_KIND, Grant, GrantUnreadable
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.errors import SignatureRefused
from secure_ml.keys.signing import SigningKey
from secure_ml.state.database import State
from secure_ml.state.tables import access_grants
from secure_ml.vault.errors import HeadMoved, Tampered, UnknownFormat
from secure_ml.vault.log_index import LogIndex


class GrantStore:
    """The grants of an installation.

    Args:
        state: the database.
        log: the audit log in the same database.
        signing_key: signs the grants.
        index: what the log knows last.
    """

    def __init__(self, state: State, log: AuditLog, signing_key: SigningKey, index: LogIndex) -> None:
        self._state, self._log, self._signing_key, self._index = state, log, signing_key, index

    def find(self, grant_id: str, *, environment: str, project: str) -> Grant | None:
        """The verified grant of that id in that place; None if there is none.

        Raises:
            Tampered: it is not what the log knows last.
        """
        found = self.of(environment=environment, project=project)
        return next((grant for grant in found if grant.grant_id == grant_id), None)

    def of(self, *, environment: str, project: str) -> tuple[Grant, ...]:
        """The verified grants of a project in an environment, in the order in which they last changed.

        A row that was removed gives nothing and is not missed: it could only have opened data.

        Raises:
            Tampered: one is forged, or an older state of it was put back.
        """
        place = (access_grants.c.environment == environment, access_grants.c.project == project)
        with self._index.snapshot() as connection:
            query = select(access_grants).where(*place).order_by(access_grants.c.audit_index)
            rows = [(row, self._index.last_grant(row["grant_id"])) for row in connection.execute(query).mappings()]
        return tuple(self._verified(row, last) for row, last in rows)

    def record(self, grant: Grant, *, event: AuditEvent) -> Grant:
        """Stores a grant in its new state together with the log entry; the grant as it stands then.

        Raises:
            HeadMoved: somebody else changed the grant meanwhile.
        """
        with self._state.transaction() as connection:
            placed = replace(grant, audit_index=self._log.append(connection, event))
            body = placed.to_bytes()
            values = {
                "body": body,
                "signature": self._signing_key.sign(body, kind=GRANT_KIND),
                "audit_index": placed.audit_index,
            }
            if grant.audit_index < 0:
                place = {"environment": grant.environment, "project": grant.project}
                connection.execute(insert(access_grants).values(grant_id=grant.grant_id, **place, **values))
                return placed
            same = access_grants.c.grant_id == grant.grant_id, access_grants.c.audit_index == grant.audit_index
            if connection.execute(update(access_grants).where(*same).values(values)).rowcount != 1:
                raise HeadMoved(f"grant {grant.grant_id} was changed meanwhile; look at it again")
        return placed

    def _verified(self, row: RowMapping, last: int | None) -> Grant:
        what = f"grant {row['grant_id']}"
        body = bytes(row["body"])
        try:
            self._signing_key.verification_key.verify(body, bytes(row["signature"]), kind=GRANT_KIND)
            grant = Grant.from_bytes(body)
        except SignatureRefused:
            raise Tampered(f"{what} does not bear this installation's signature; restore the state") from None
        except GrantUnreadable as error:
            raise UnknownFormat(str(error)) from None
        told = (grant.grant_id, grant.environment, grant.project, grant.audit_index)
        if told != (row["grant_id"], row["environment"], row["project"], last):
            raise Tampered(f"{what} is not the one that the audit log recorded last; restore the state")
        return grant
