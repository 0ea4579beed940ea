"""A registry that keeps the one record it was given, in place of MLflow's."""

from secure_ml.release.record import RegistrationRecord
from secure_ml.release.registry import ModelRegistry, RegisteredVersion


class NotedRegistry(ModelRegistry):
    """Answers as the real one does for a first registration."""

    def __init__(self) -> None:
        self.records: list[RegistrationRecord] = []

    def register(self, *, project: str, environment: str, record: RegistrationRecord) -> RegisteredVersion:
        self.records.append(record)
        name = f"{environment}.{project}"
        return RegisteredVersion(name, len(self.records), "0" * 32, f"file:///artefacts/{name}", "candidate")
