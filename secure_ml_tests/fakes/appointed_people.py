"""An installation whose `actors.yaml` names people, each of whom has a kernel that knows them by their login."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from secure_ml.installation import Installation
from secure_ml.policy.projects import find_projects
from secure_ml.settings import read_settings
from secure_ml.vault.client import Client
from secure_ml.vault.kernel import InProcessKernel
from secure_ml.vault.messages import Kernel
from secure_ml_tests.fakes.small_project import PROJECT, attributes, write_policy

ACTORS = """\
actors:
  person:scientist-1: {roles: [data_scientist], logins: [scientist]}
  person:scientist-2: {roles: [data_scientist], logins: [colleague]}
  person:steward-1: {roles: [data_steward], logins: [steward]}
  person:both-1: {roles: [data_steward, data_scientist], logins: [both]}
  person:dpo-1: {roles: [data_protection_officer], logins: [dpo]}
  person:admin-1: {roles: [admin, data_steward], logins: [keeper]}
  person:auditor-1: {roles: [auditor], logins: [auditor]}
"""


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = datetime(2031, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_hours(self, hours: float) -> None:
        """Moves it on, or back."""
        self.now += timedelta(hours=hours)


@dataclass(frozen=True)
class AppointedPeople:
    """The installation below one folder, and its clock."""

    root: Path
    installation: Installation
    clock: Clock

    def kernel_of(self, login: str) -> Kernel:
        """The kernel as the user with this login reaches it."""
        return InProcessKernel(self.installation.core, login=login)

    def client_of(self, login: str) -> Client:
        """The installation as that user sees it."""
        return Client(self.installation.settings, self.installation.projects, self.kernel_of(login))

    def reopened(self) -> "AppointedPeople":
        """The same folders in a new process, as it were."""
        return open_appointed_people(self.root, self.clock)


def make_appointed_people(root: Path, *, actors: str = ACTORS) -> AppointedPeople:
    """Writes policy and actors below `root`, and opens a new installation there."""
    write_policy(root / "defs" / PROJECT, attributes())
    (root / "actors.yaml").write_text(actors, encoding="utf-8")
    return open_appointed_people(root, Clock())


def open_appointed_people(root: Path, clock: Clock) -> AppointedPeople:
    """Opens the installation below `root`."""
    settings = read_settings({"SECURE_ML_HOME": str(root / "home"), "SECURE_ML_KEYS": str(root / "keys")})
    appointed = replace(settings, actors=root / "actors.yaml")
    return AppointedPeople(root, Installation(appointed, find_projects((root / "defs",)), clock=clock), clock)
