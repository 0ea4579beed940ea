"""The run coordinator: every run gets a ticket of its own before it is queued, whatever tags its client sent.

Belongs here: who a run acts for, and the tag. Must stay out: what the actor may do (the kernel decides).
"""

import os
from functools import cached_property
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage

from secure_ml.access.stages import Stage
from secure_ml.guard.errors import describe
from secure_ml.orchestration.automatic import service_of
from secure_ml.orchestration.resources import TICKET_TAG, assets_of, stages_of, ticket_tag
from secure_ml.posture import require_shared_dagster
from secure_ml.settings import read_settings

if TYPE_CHECKING:
    from secure_ml.policy.load import PolicyError
    from secure_ml.vault.client import Client


class TicketingRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue, with a ticket for each run. A retry or a re-execution is a new run, and gets a new one."""

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """Queues the run under its own ticket; one that is refused fails at once, and says why."""
        run = context.dagster_run
        instance = self._instance
        try:
            # Whoever only records a run of its own asks for the queue's limits, and shares nothing.
            in_files = isinstance(instance.run_storage, SqliteRunStorage)
            require_shared_dagster(read_settings(os.environ), in_files=in_files)
            tag = self._tag(context)
        except Exception as error:  # noqa: BLE001 - told in the run's own page, never swallowed
            # Nothing that a client sent as a ticket stays with the run.
            instance.add_run_tags(run.run_id, {TICKET_TAG: ""})
            instance.report_run_failed(run, f"The run was not started. {describe(error)}")
            return _again(instance, run)
        instance.add_run_tags(run.run_id, {TICKET_TAG: tag})
        return super().submit_run(SubmitRunContext(_again(instance, run), context.workspace))

    def _tag(self, context: SubmitRunContext) -> str:
        """The ticket for a run of one of our projects; empty for a run that opens no door."""
        run = context.dagster_run
        keys = assets_of(run, self._instance)
        places = {key.path[:2] and tuple(key.path[:2]) for key in keys if len(key.path) == 3}
        places = {place for place in places if place[1] in self._client.projects}
        if not places:
            return ""
        if len(places) > 1:
            raise ManyProjects("a run is of one project in one environment; launch one for each")
        ((environment, project),) = places
        named = {key.path[2] for key in keys}
        ticket = self._client.ticket(
            environment=environment,
            project=project,
            run_id=run.run_id,
            stages=stages_of(run) or tuple(stage for stage in Stage if stage in named),
            on_behalf_of=service_of(context, self._instance),
        )
        return ticket_tag(ticket)

    @cached_property
    def _client(self) -> "Client":
        from secure_ml.installation import open_client

        return open_client(os.environ, unfinished=_leave_out)


class ManyProjects(Exception):
    """A run was asked to act for more than one project."""


def _again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    found = instance.get_run_by_id(run.run_id)
    return run if found is None else found


def _leave_out(error: "PolicyError") -> None:
    """A draft that waits for its steward has no runs yet."""
