"""Projects: policies with the folders that they were read from.

Belongs here: finding them. Must stay out: what is done with one.
"""

from dataclasses import dataclass
from pathlib import Path

from secure_ml.policy.load import PolicyError, load_policy
from secure_ml.policy.project import Policy


@dataclass(frozen=True)
class Project:
    """A policy and the folder that it was read from."""

    policy: Policy
    folder: Path


def find_projects(folders: tuple[Path, ...]) -> dict[str, Project]:
    """Every project below these folders, by name.

    Raises:
        PolicyError: a policy is wrong, or two folders declare one project.
    """
    found: dict[str, Project] = {}
    for folder in folders:
        for file in sorted(folder.glob("*/defs.yaml")):
            policy = load_policy(file)
            if policy.project in found:
                raise PolicyError(
                    f"the project {policy.project} is declared in {found[policy.project].folder} and in {file.parent}; "
                    "rename one"
                )
            found[policy.project] = Project(policy, file.parent)
    return found
