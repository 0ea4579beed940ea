"""Who is who: which actor stands behind a login, and as which login the runs of an environment execute.

Belongs here: one directory for each profile. Must stay out: what an actor may do (decisions).
"""

from collections.abc import Mapping
from typing import Protocol

from secure_ml.access.actors import Actor, Actors, sole_user
from secure_ml.access.errors import AccessError

ASSESSOR = "service:assessor"
"""The only identity whose verdicts are believed where a run's user is not trusted."""

DISPATCHER = "service:dagster"
"""Whoever launches runs that nobody asks for in person: Dagster's daemon."""

SENSOR, SCHEDULE = "service:sensor", "service:schedule"
"""The identities of runs that Dagster starts by itself."""


class Directory(Protocol):
    """Names of actors, their logins, and the users that runs execute as."""

    @property
    def run_may_judge_itself(self) -> bool:
        """Whether a run's verdicts on its own versions are believed."""

    def of_login(self, login: str) -> Actor | None:
        """The actor behind an operating-system login."""

    def named(self, name: str) -> Actor | None:
        """The actor of that name, with the roles that it has now."""

    def run_user(self, environment: str) -> str | None:
        """The login that the environment's runs execute as; None where there is no such environment."""


class SoleUser:
    """The directory of the profile `personal`: one user of the operating system, who is everybody.

    Args:
        login: the user's login.
    """

    run_may_judge_itself = True

    def __init__(self, login: str) -> None:
        self._login, self._actor = login, sole_user(login)

    def of_login(self, login: str) -> Actor | None:
        """See `Directory`."""
        return self._actor if login == self._login else None

    def named(self, name: str) -> Actor | None:
        """See `Directory`. Runs that Dagster starts by itself have a name and the few rights of their own."""
        if name in {SENSOR, SCHEDULE}:
            return Actor(name, frozenset({name.partition(":")[2]}))
        return self._actor if name == self._actor.name else None

    def run_user(self, environment: str) -> str | None:
        """See `Directory`."""
        return self._login


class Appointed:
    """The directory of the other profiles: whom the installation's `actors.yaml` names, and nobody else.

    Args:
        actors: the actors.
        run_users: the login of each environment's runs.

    Raises:
        AccessError: such a login stands behind an actor, as whom the code of its runs could then ask for anything.
    """

    run_may_judge_itself = False

    def __init__(self, actors: Actors, run_users: Mapping[str, str]) -> None:
        for login in run_users.values():
            actor = actors.of_login(login)
            if actor is not None:
                raise AccessError(
                    f"{login} is whom runs execute as, so it cannot stand behind {actor.name}: remove it there"
                )
        self._actors, self._run_users = actors, dict(run_users)

    def of_login(self, login: str) -> Actor | None:
        """See `Directory`."""
        return self._actors.of_login(login)

    def named(self, name: str) -> Actor | None:
        """See `Directory`."""
        return self._actors.of_name(name)

    def run_user(self, environment: str) -> str | None:
        """See `Directory`."""
        return self._run_users.get(environment)
