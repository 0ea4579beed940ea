"""Dagster's records in PostgreSQL, redacted before they are stored.

Belongs here: the connection to PostgreSQL. Must stay out: what is redacted (storage). Needs the extra `postgres`.
"""

import os
from collections.abc import Mapping
from typing import Any, Self

from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.config import pg_config
from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import pg_url_from_config

from secure_ml.orchestration.storage import RedactedEvents, RedactedRuns, RedactedSchedules, RedactedStorage
from secure_ml.posture import require_dagster_storage
from secure_ml.settings import read_settings


class _PostgresEvents(RedactedEvents, PostgresEventLogStorage):
    pass


class _PostgresRuns(RedactedRuns, PostgresRunStorage):
    pass


class _PostgresSchedules(RedactedSchedules, PostgresScheduleStorage):
    pass


class RedactedPostgresStorage(RedactedStorage):
    """Dagster's tables in one PostgreSQL database."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """`postgres_url`, or its parts under `postgres_db`; each may name an environment variable."""
        return pg_config()

    @classmethod
    def _opened(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Connects, and makes the tables that are missing unless `should_autocreate_tables` is false.

        Raises:
            ProfileNotMet: the installation's profile needs a better protected connection.
        """
        # The driver that Dagster's storage is written for; SQLAlchemy's default has become another.
        url = pg_url_from_config(config_value).replace("postgresql://", "postgresql+psycopg2://", 1)
        require_dagster_storage(read_settings(os.environ), url)
        make = config_value.get("should_autocreate_tables", True)
        return cls(
            _PostgresRuns(url, make), _PostgresEvents(url, make), _PostgresSchedules(url, make), inst_data=inst_data
        )
