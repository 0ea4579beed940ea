"""Actors: who asks, under which roles, and which login of this machine is whom.

Belongs here: the installation's `actors.yaml` and the checks on it. Must stay out: what a role may do.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from secure_ml.access.errors import AccessError
from secure_ml.access.roles import HolderKind, RoleName, shipped_roles
from secure_ml.policy.document import Document, DocumentError

SOLE_USER = "sole_user"
"""Role of the one user of a personal installation."""

_LARGEST_FILE = 2**20

ActorName = Annotated[str, Field(pattern=r"^(person|service):[a-z0-9][a-z0-9._-]{0,63}$")]
Login = Annotated[str, Field(pattern=r"^([a-z_][a-z0-9_.-]{0,31}\$?|[0-9]{1,10})$")]


@dataclass(frozen=True)
class Actor:
    """Who asks.

    Attributes:
        name: `person:…`, `service:…`, or in a personal installation `os-user:…`.
        roles: names of the roles in `roles.yaml`.
    """

    name: str
    roles: frozenset[str]

    @property
    def kind(self) -> str:
        """What comes before the colon of its name."""
        return self.name.partition(":")[0]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    roles: tuple[RoleName, ...] = Field(min_length=1)
    logins: tuple[Login, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    actors: Mapping[ActorName, _Entry]

    @model_validator(mode="after")
    def _one_actor_a_login(self) -> "_File":
        logins = [login for entry in self.actors.values() for login in entry.logins]
        twice = sorted({login for login in logins if logins.count(login) > 1})
        if twice:
            raise ValueError(f"the login {twice[0]} belongs to one actor only; it is named twice")
        return self


class Actors:
    """Who has which roles here, and which login of this machine is whom.

    Args:
        by_name: the actors.
        by_login: name of the actor of each login.
    """

    def __init__(self, by_name: Mapping[str, Actor], by_login: Mapping[str, str]) -> None:
        self._by_name, self._by_login = dict(by_name), dict(by_login)

    @classmethod
    def load(cls, path: Path) -> "Actors":
        """Reads and validates an `actors.yaml`.

        Raises:
            AccessError: it is missing, another user could have written it, or it breaks its rules. Names file, line
                and field.
        """
        try:
            document = Document.parse(_read_guarded(path), name=str(path), expected="the field actors")
            file = _File.model_validate(document.content)
        except DocumentError as error:
            raise AccessError(str(error)) from None
        except ValidationError as error:
            raise AccessError(document.describe(error)) from None
        roles = shipped_roles()
        for name, entry in file.actors.items():
            for role in entry.roles:
                known = roles.roles.get(role)
                if known is None or known.held_by != name.partition(":")[0]:
                    line, field = document.locate(("actors", name, "roles"))
                    wrong = "there is no such role" if known is None else f"only the kind {known.held_by} can hold it"
                    raise AccessError(f"{path}:{line}: {field}: {role}: {wrong}; docs/access.md lists the roles")
        by_name = {name: Actor(name, frozenset(entry.roles)) for name, entry in file.actors.items()}
        return cls(by_name, {login: name for name, entry in file.actors.items() for login in entry.logins})

    def of_login(self, login: str) -> Actor | None:
        """The actor of a login, or of a user id in digits where the system has no name for it; None if unknown."""
        name = self._by_login.get(login)
        return None if name is None else self._by_name[name]

    def of_name(self, name: str) -> Actor | None:
        """The actor of that name; None if unknown."""
        return self._by_name.get(name)


def sole_user(login: str) -> Actor:
    """The one user of a personal installation."""
    return Actor(f"{HolderKind.OS_USER}:{login}", frozenset({SOLE_USER}))


def _read_guarded(path: Path) -> str:
    """The text of a file that nobody but this process's user or root could have written or put there."""
    try:
        _require_unwritable(path.parent, path.parent.stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise AccessError(f"{path} is not a regular file")
            _require_unwritable(path, status)
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        _unreadable(path, os.strerror(error.errno or 0))
    if len(content) > _LARGEST_FILE:
        raise AccessError(f"{path} is longer than a list of actors can be")
    try:
        return content.decode()
    except UnicodeDecodeError:
        _unreadable(path, "it is not UTF-8")


def _require_unwritable(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in {0, os.geteuid()}:
        raise AccessError(f"{path} belongs to another user; give it to root or to the user that the kernel runs as")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise AccessError(
            f"{path} can be written by other users, who could give themselves roles; run: chmod go-w {path}"
        )


def _unreadable(path: Path, why: str) -> NoReturn:
    raise AccessError(
        f"{path}: cannot be read ({why}); write there who has which roles, as docs/access.md says"
    ) from None
