"""Reading the audit log through the kernel: in pages, by whoever may, and the log has the reading too.

Belongs here: the messages, their handler, and the reader's side. Must stay out: what is made of the entries (guard).
"""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from secure_ml.access.decisions import Action, Resource
from secure_ml.audit.log import AuditEntry, AuditLog
from secure_ml.vault.messages import Message

if TYPE_CHECKING:
    from secure_ml.vault.kernel import KernelCore
    from secure_ml.vault.messages import Kernel

PAGE_ENTRIES = 1_000
"""Entries of a page: about half a megabyte on the wire."""


class ReadAuditEntries(Message):
    """Asks for a page of the log.

    Attributes:
        start: index of its first entry.
    """

    start: int = Field(ge=0)


class AuditEntryRead(Message):
    """One entry; see `audit.log.AuditEntry`. Its reason, which is free text, stays with the kernel."""

    entry_index: int
    time: str
    action: str
    resource: str
    outcome: str
    run_id: str
    details: dict[str, str | int | bool | list[str]]
    actor: str | None = Field(repr=False)


class AuditEntriesRead(Message):
    """The entries from `start`, none at the end of the log. They were shown to be those that were signed.

    Attributes:
        entries: the page.
        audit_index: the entry that has this reading; -1 where there was nothing to read but other readings.
    """

    entries: tuple[AuditEntryRead, ...]
    audit_index: int


def register_audit_reading(kernel: "KernelCore", log: AuditLog) -> None:
    """Lets the kernel answer `ReadAuditEntries`, to whom its roles permit `log.read`.

    A reading is in the log before the entries are told, and is itself the last of them. A page of other readings alone
    is told without one: else two readers that look often would read of each other for ever, and fill the log.
    """
    lock, seen = threading.Lock(), [log.frontier(0)]

    def read(request: ReadAuditEntries) -> AuditEntriesRead:
        kernel.admission.authorise(Action.LOG_READ, Resource(), refusals_only=True)
        with lock:
            after = seen[0] if seen[0].size == request.start else log.frontier(min(request.start, log.size()))
            page, seen[0] = log.signed_page(after=after, limit=PAGE_ENTRIES)
            index = -1
            if not all(_is_reading(entry) for entry in page):
                _, index = kernel.admission.authorise(Action.LOG_READ, Resource(), details={"start": request.start})
                if len(page) < PAGE_ENTRIES:
                    more, seen[0] = log.signed_page(after=seen[0], limit=PAGE_ENTRIES - len(page))
                    page += more
        told = tuple(_read(entry) for entry in page if entry.entry_index >= request.start)
        return AuditEntriesRead(entries=told, audit_index=index)

    kernel.register(ReadAuditEntries, read)


def _is_reading(entry: AuditEntry) -> bool:
    return (entry.action, entry.outcome) == ("log.read", "allowed")


def read_audit_entries(kernel: "Kernel", *, start: int) -> Iterator[AuditEntry]:
    """The log from `start` to its end, a page at a time.

    Raises:
        AccessRefused: whoever asks has no role that may read the log.
        AuditLogTampered: an entry is not the one that was signed.
    """
    while True:
        answer = kernel.send(ReadAuditEntries(start=start))
        if not isinstance(answer, AuditEntriesRead):
            raise TypeError(f"the kernel answered {type(answer).__name__} where AuditEntriesRead was due")
        if not answer.entries:
            return
        for entry in answer.entries:
            yield AuditEntry(**entry.model_dump(), reason=None)
        start += len(answer.entries)


def _read(entry: AuditEntry) -> AuditEntryRead:
    return AuditEntryRead(
        entry_index=entry.entry_index,
        time=entry.time,
        action=entry.action,
        resource=entry.resource,
        outcome=entry.outcome,
        run_id=entry.run_id,
        details=dict(entry.details),
        actor=entry.actor,
    )
