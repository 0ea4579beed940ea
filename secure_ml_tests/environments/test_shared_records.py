"""Dagster's records in PostgreSQL, shared by users of the operating system, each with a login of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import create_engine, text

from secure_ml.settings import project_root
from secure_ml_tests.fakes.postgres_server import PostgresServer, postgres_server
from secure_ml_tests.fakes.separated import ASSESSOR_USER, PERSON, PROJECT, RUN_USER, Separated, separated
from secure_ml_tests.fakes.small_project import declare_all

pytestmark = pytest.mark.journey

_RUNS = """
import os
from secure_ml.orchestration.postgres_storage import RedactedPostgresStorage
url = os.environ["SECURE_ML_DAGSTER_POSTGRES_URL"]
storage = RedactedPostgresStorage.from_config_value(None, {"postgres_url": url, "should_autocreate_tables": False})
for run in storage.run_storage.get_runs():
    print(run.job_name, run.status.value)
"""


@dataclass(frozen=True)
class Shared:
    made: Separated
    server: PostgresServer

    def ask(self, query: str) -> list[str]:
        engine = create_engine(self.server.url.replace("postgresql://", "postgresql+psycopg2://"))
        with engine.connect() as connection:
            return list(connection.scalars(text(query)))


def roles_of_the_page(server: PostgresServer, *logins: str) -> None:
    """What docs/deployment.md tells to type, for these users."""
    page = (project_root() / "docs" / "deployment.md").read_text(encoding="utf-8")
    typed = re.findall(r"^(?:CREATE|ALTER|GRANT) .*;$", page, flags=re.MULTILINE)
    engine = create_engine(server.url.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        for statement in typed:
            of_a_login = "secure-ml-run" in statement
            for login in logins if of_a_login else ("",):
                connection.execute(text(statement.replace("secure-ml-run", login)))
        # A login is believed by the operating system's word alone.
        (server.data / "pg_hba.conf").write_text("local all postgres trust\nlocal all all peer\n", encoding="utf-8")
        connection.execute(text("select pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    with postgres_server() as server, separated(change=declare_all, started=False) as made:
        roles_of_the_page(server, RUN_USER, PERSON)
        server.data.parent.chmod(0o755)
        # Without a user in it, each process is its operating-system user.
        made.environ["SECURE_ML_DAGSTER_POSTGRES_URL"] = server.url.replace("postgres@", "")
        made.start()
        ran = made.secure_ml("run", PROJECT, "--until", "classified")
        assert ran.returncode == 0, ran.stderr + ran.stdout
        yield Shared(made, server)


def test_a_run_of_one_user_is_seen_by_another(shared: Shared) -> None:
    seen = shared.made.as_user(PERSON, _RUNS)
    assert seen.stdout.split() == [f"{PROJECT}__protect", "SUCCESS"], seen.stderr


def test_the_tables_belong_to_the_role_that_both_act_as(shared: Shared) -> None:
    assert set(shared.ask("select tableowner from pg_tables where tablename in ('runs', 'event_logs')")) == {
        "secure_ml_records"
    }


def test_a_user_without_a_login_there_is_refused(shared: Shared) -> None:
    refused = shared.made.as_user(ASSESSOR_USER, _RUNS)
    assert refused.returncode != 0
    assert "SUCCESS" not in refused.stdout


def test_one_user_is_not_taken_for_another(shared: Shared) -> None:
    name = "SECURE_ML_DAGSTER_POSTGRES_URL"
    as_the_run = shared.server.url.replace("postgres@", f"{RUN_USER}@")
    refused = shared.made.as_user(PERSON, f"import os\nos.environ[{name!r}] = {as_the_run!r}\n{_RUNS}")
    assert refused.returncode != 0
    assert "SUCCESS" not in refused.stdout
    assert "Peer authentication failed" in refused.stderr or "OperationalError" in refused.stderr


def test_nothing_of_it_is_in_files(shared: Shared) -> None:
    assert not list(shared.made.home.glob("dagster/**/*.db"))
