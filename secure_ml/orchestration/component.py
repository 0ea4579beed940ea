"""The component `secure_ml.orchestration.SensitiveModel`: a policy in a `defs.yaml` becomes assets, checks and jobs.

Belongs here: the bridge between Dagster's component loader and `project_definitions`. Must stay out: the assets.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

import dagster as dg
from pydantic import BaseModel

from secure_ml.orchestration.component_schema import PolicyAttributes
from secure_ml.orchestration.project import project_definitions
from secure_ml.policy.load import load_policy
from secure_ml.policy.projects import Project

DEFAULT_ENVIRONMENT = "training"

_environment: ContextVar[str] = ContextVar("secure_ml_environment", default=DEFAULT_ENVIRONMENT)


@contextmanager
def building_for(environment: str) -> Iterator[None]:
    """Components that are built inside this block get assets of this environment."""
    token = _environment.set(environment)
    try:
        yield
    finally:
        _environment.reset(token)


class SensitiveModel(dg.Component):
    """A model on sensitive data: raw → classified → masked → split → trained → validated → registered, by policy."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The schema that `dg check yaml` and editors use; it judges nothing itself."""
        return PolicyAttributes

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Owners and tags in `dg list components`."""
        return dg.ComponentTypeSpec(owners=["team:platform"], tags=["privacy", "audit", "training"])

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Reads the policy again from its file, so that an error names the line and what is allowed there."""
        return cls(Project(load_policy(context.path), context.path))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The project's definitions, for the environment that is being built."""
        return project_definitions(self.project, _environment.get())
