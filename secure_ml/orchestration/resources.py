"""What assets and checks are handed: the doors of their run, and the projects' folders.

Belongs here: opening the installation once a process. Must stay out: anything that reads data itself.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.access.tickets import TicketRefused

if TYPE_CHECKING:
    from secure_ml.orchestration.assessor import RemoteAssessor
    from secure_ml.vault.client import Client
    from secure_ml.vault.door import Door
    from secure_ml.vault.messages import TicketIssued


TICKET_TAG = "secure_ml/ticket"
"""Tag of a run that holds its ticket; whoever launches it writes it over whatever a client sent."""


class Doors:
    """The doors of an installation, one for each run and project.

    Args:
        open_installation: gives the installation; called at the first use, never at definition time.
        environ: environment variables that sources name.
    """

    def __init__(self, open_installation: "Callable[[], Client]", *, environ: Mapping[str, str]) -> None:
        self._open_installation = open_installation
        self._door = lru_cache(maxsize=64)(self._make_door)
        self.environ = environ

    @cached_property
    def installation(self) -> "Client":
        """The installation, opened once."""
        return self._open_installation()

    @cached_property
    def assessor(self) -> "RemoteAssessor | None":
        """Who judges versions in place of the runs that write them; None in the profile `personal`."""
        settings = self.installation.settings
        if settings.assessor_socket is None:
            return None
        from secure_ml.orchestration.assessor import RemoteAssessor
        from secure_ml.vault.wire.client import SocketKernel

        return RemoteAssessor(SocketKernel(settings.assessor_socket, started_by="secure-ml assessor"))

    def door(self, key: dg.AssetKey, run: dg.DagsterRun) -> "Door":
        """The door of a run, for the environment and project of an asset.

        Raises:
            TicketRefused: the run's ticket is no ticket at all.
            AccessRefused: it has none, and the profile needs one.
        """
        environment, project, _ = key.path
        return self._door(environment, project, run.run_id, stages_of(run), run.tags.get(TICKET_TAG, ""))

    def _make_door(self, environment: str, project: str, run_id: str, stages: tuple[Stage, ...], tag: str) -> "Door":
        return self.installation.door(
            environment=environment,
            project=project,
            run_id=run_id,
            stages=stages or tuple(Stage),
            ticket=read_ticket(tag) if tag else None,
        )


def stages_of(run: dg.DagsterRun) -> tuple[Stage, ...]:
    """The stages that a run was asked to make or to judge, as far as it names them; empty where its job says it all."""
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    named = {key.path[-1] for key in keys}
    return tuple(stage for stage in Stage if stage in named)


_DIGITS, _LETTERS = "0123456789abcdef", "abcdefghijklmnop"


def assets_of(run: dg.DagsterRun, instance: dg.DagsterInstance) -> set[dg.AssetKey]:
    """The assets that a run makes or judges: its own selection, or else all of its job."""
    keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
    if keys or run.execution_plan_snapshot_id is None:
        return keys
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    outputs = [output.properties for step in plan.steps for output in step.outputs if output.properties]
    made = {output.asset_key for output in outputs if output.asset_key is not None}
    judged = {output.asset_check_key.asset_key for output in outputs if output.asset_check_key is not None}
    return made | judged


def ticket_tag(ticket: "TicketIssued") -> str:
    """A ticket as the text of a run's tag: letters only, so that no redactor sees a number in it."""
    return ticket.model_dump_json().encode().hex().translate(str.maketrans(_DIGITS, _LETTERS))


def read_ticket(tag: str) -> "TicketIssued":
    """The ticket of a run's tag.

    Raises:
        TicketRefused: the tag holds none; the text does not show it.
    """
    from secure_ml.vault.messages import TicketIssued

    try:
        return TicketIssued.model_validate_json(bytes.fromhex(tag.translate(str.maketrans(_LETTERS, _DIGITS))))
    except ValueError:
        raise TicketRefused("the run's tag holds no ticket; start the run again, and leave that tag alone") from None


def stage_of(key: dg.AssetKey) -> Stage:
    """The stage that an asset key names."""
    return Stage(key.path[-1])
