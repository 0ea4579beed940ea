"""What a process has that holds no key of its own: places, projects, and the kernel's interface.

Belongs here: doors, and identities for runs. Must stay out: keys, log, heads, verdicts, which the kernel holds.
"""

from collections.abc import Collection, Mapping, Sequence

from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.policy.projects import Project
from secure_ml.settings import Profile, Settings
from secure_ml.vault import messages as m
from secure_ml.vault.dataset import Dataset
from secure_ml.vault.door import Door
from secure_ml.vault.errors import AccessRefused, VaultError
from secure_ml.vault.exploring import explore
from secure_ml.vault.manifest import Address


class NoSuchProject(VaultError):
    """There is no project of that name here."""


class Client:
    """An installation as its users' processes see it.

    Args:
        settings: its places.
        projects: the projects that it serves.
        kernel: answers, in this process or another.
    """

    def __init__(self, settings: Settings, projects: Mapping[str, Project], kernel: m.Kernel) -> None:
        self.settings, self.projects, self.kernel = settings, projects, kernel

    def policy_of(self, project: str) -> Policy:
        """The policy of a project.

        Raises:
            NoSuchProject: there is none of that name.
        """
        if project not in self.projects:
            known = ", ".join(sorted(self.projects)) or "none"
            raise NoSuchProject(f"there is no project {project}; there are: {known}")
        return self.projects[project].policy

    def ticket(
        self, *, environment: str, project: str, run_id: str, stages: Collection[Stage], on_behalf_of: str = ""
    ) -> m.TicketIssued:
        """The identity of a run that this process is about to start.

        Raises:
            AccessRefused: this process's actor may not start it.
        """
        answer = self.kernel.send(
            m.IssueTicket(
                environment=environment,
                project=project,
                run_id=run_id,
                stages=tuple(stages),
                on_behalf_of=on_behalf_of,
            )
        )
        if not isinstance(answer, m.TicketIssued):
            raise TypeError(f"the kernel answered {type(answer).__name__} where TicketIssued was due")
        return answer

    def door(
        self,
        *,
        environment: str,
        project: str,
        run_id: str,
        stages: Collection[Stage] = tuple(Stage),
        ticket: m.TicketIssued | None = None,
    ) -> Door:
        """The door of one run.

        Args:
            environment: where it runs.
            project: whose data it opens.
            run_id: the run.
            stages: for a run without a ticket, what it was asked to make.
            ticket: its identity. Without one the user of this process is the actor, in the profile `personal` only.

        Raises:
            AccessRefused: there is no ticket, and the profile needs one.
        """
        if ticket is None:
            if self.settings.profile is not Profile.PERSONAL:
                raise AccessRefused(
                    "the run has no ticket: start it with `secure-ml run`, or through dagster.yaml's run coordinator"
                )
            ticket = self.ticket(environment=environment, project=project, run_id=run_id, stages=stages)
        policy = self.policy_of(project).seen_in(environment)
        return Door(self.kernel, root=self.settings.vault, environment=environment, policy=policy, ticket=ticket)

    def explore(
        self,
        *,
        environment: str,
        project: str,
        stage: Stage,
        purpose: str,
        partition: str = "",
        columns: Sequence[str] | None = None,
        sections: Sequence[str] | None = None,
    ) -> Dataset:
        """A look at a version outside a run, with the roles and grants of this process's user; see `explore`.

        Raises:
            AccessRefused: a column or side is not for this user, nor covered by a grant; says which.
            NothingThere, ChecksNotPassed, StaleVersion, Tampered: as `Door.open`.
            StorageError: this user may not read the vault's files.
        """
        address = Address(environment, project, stage, partition)
        return explore(
            self.kernel, self.settings.vault, address=address, purpose=purpose, columns=columns, sections=sections
        )
