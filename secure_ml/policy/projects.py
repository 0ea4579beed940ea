"""Projects: policies with the folders that they were read from.

Belongs here: finding them. Must stay out: what is done with one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from secure_ml.policy.load import PolicyError, load_policy
from secure_ml.policy.project import Policy

POLICY_FILE = "defs.yaml"
"""The one file of a project's folder that is read."""


@dataclass(frozen=True)
class Project:
    """A policy and the folder that it was read from."""

    policy: Policy
    folder: Path

    def seen_in(self, environment: str) -> "Project":
        """The project with its policy as it holds in an environment."""
        return replace(self, policy=self.policy.seen_in(environment))


def find_projects(
    folders: tuple[Path, ...], *, unfinished: Callable[[PolicyError], None] | None = None
) -> dict[str, Project]:
    """Every project below these folders, by name.

    Args:
        folders: each holds a folder a project.
        unfinished: told of each policy that cannot be used, which is then left out; by default its error is raised.

    Raises:
        PolicyError: two folders declare one project, or a policy is wrong and nobody is told.
    """
    found: dict[str, Project] = {}
    for folder in folders:
        for file in sorted(folder.glob(f"*/{POLICY_FILE}")):
            try:
                policy = load_policy(file)
            except PolicyError as error:
                if unfinished is None:
                    raise
                unfinished(error)
                continue
            if policy.project in found:
                raise PolicyError(
                    f"the project {policy.project} is declared in {found[policy.project].folder} and in {file.parent}; "
                    "rename one"
                )
            found[policy.project] = Project(policy, file.parent)
    return found
