"""Promotions in the state database: written in one transaction with their log entry, believed as the log knows them.

Belongs here: the rows, their verification, and whether a project stands promoted. Must stay out: who may promote, and
on what evidence.
"""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import RowMapping, insert, select

from secure_ml.access.promotions import BEFORE, PROMOTION_KIND, Promotion, PromotionUnreadable
from secure_ml.audit.log import AuditEvent, AuditLog
from secure_ml.keys.errors import SignatureRefused
from secure_ml.keys.signing import SigningKey
from secure_ml.policy.project import Policy
from secure_ml.state.database import State
from secure_ml.state.tables import promotions
from secure_ml.vault.errors import Tampered, UnknownFormat
from secure_ml.vault.log_index import LogIndex


class PromotionStore:
    """The promotions of an installation.

    Args:
        state: the database.
        log: the audit log in the same database.
        signing_key: signs the promotions.
        index: what the log knows last.
    """

    def __init__(self, state: State, log: AuditLog, signing_key: SigningKey, index: LogIndex) -> None:
        self._state, self._log, self._signing_key, self._index = state, log, signing_key, index

    def of(self, *, environment: str, project: str) -> tuple[Promotion, ...]:
        """The verified promotions of a project to an environment, the oldest first.

        A row that was removed lets nothing run, and is not missed.

        Raises:
            Tampered: one is forged, or not the one that the log recorded.
        """
        place = (promotions.c.environment == environment, promotions.c.project == project)
        with self._index.snapshot() as connection:
            query = select(promotions).where(*place).order_by(promotions.c.audit_index)
            rows = [(row, self._index.promotion(row["promotion_id"])) for row in connection.execute(query).mappings()]
        return tuple(self._verified(row, recorded) for row, recorded in rows)

    def record(self, promotion: Promotion, *, event: AuditEvent) -> Promotion:
        """Stores a promotion together with its log entry; the promotion with that entry's index."""
        with self._state.transaction() as connection:
            placed = replace(promotion, audit_index=self._log.append(connection, event))
            body = placed.to_bytes()
            connection.execute(
                insert(promotions).values(
                    promotion_id=placed.promotion_id,
                    environment=placed.environment,
                    project=placed.project,
                    body=body,
                    signature=self._signing_key.sign(body, kind=PROMOTION_KIND),
                    audit_index=placed.audit_index,
                )
            )
        return placed

    def _verified(self, row: RowMapping, recorded: int | None) -> Promotion:
        what = f"promotion {row['promotion_id']}"
        body = bytes(row["body"])
        try:
            self._signing_key.verification_key.verify(body, bytes(row["signature"]), kind=PROMOTION_KIND)
            promotion = Promotion.from_bytes(body)
        except SignatureRefused:
            raise Tampered(f"{what} does not bear this installation's signature; restore the state") from None
        except PromotionUnreadable as error:
            raise UnknownFormat(str(error)) from None
        told = (promotion.promotion_id, promotion.environment, promotion.project, promotion.audit_index)
        if told != (row["promotion_id"], row["environment"], row["project"], recorded):
            raise Tampered(f"{what} is not the one that the audit log recorded; restore the state")
        return promotion


class PromotionGate:
    """Whether runs of a project may start in an environment, as the project is today.

    Args:
        store: the promotions.
        policy_of: the policy of a project, by name.
        code_digest: of the code that is installed now.
        required: whether runs need a promotion here, or it is only recorded.
    """

    def __init__(
        self,
        store: PromotionStore,
        *,
        policy_of: Callable[[str], Policy],
        code_digest: Callable[[], str],
        required: bool,
    ) -> None:
        self.store, self.code_digest, self._policy_of, self._required = store, code_digest, policy_of, required

    def refusal(self, *, environment: str, project: str, code_digest: str) -> str:
        """Why runs may not start, in words; empty where they may.

        Raises:
            Tampered: a promotion is not the one that the log recorded.
        """
        if not self._required or environment not in BEFORE:
            return ""
        policy_digest = self._policy_of(project).digest
        found = self.store.of(environment=environment, project=project)
        if any(one.is_for(policy_digest=policy_digest, code_digest=code_digest) for one in found):
            return ""
        what = "with this policy and this code" if found else "at all"
        return (
            f"{project} was not promoted to {environment} {what}: run it in {BEFORE[environment]}, then let another "
            f"person record it by `secure-ml promote {project} --to {environment}`"
        )
