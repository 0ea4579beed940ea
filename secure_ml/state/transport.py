"""How a connection to a database travels: inside this machine, by TLS that is verified, or in the open.

Belongs here: reading that off a URL. Must stay out: connecting, and who must not connect how.
"""

from sqlalchemy import URL

from secure_ml.state.engine import parse_database_url

_VERIFIED = "verify-full"
_UNSEEN = ("service", "servicefile")
"""Parameters of libpq that name a file with others in it, which could undo what the URL says."""


def is_protected(database_url: str) -> bool:
    """Whether nobody between this process and the database can read along, or take the database's place.

    A SQLite file and a Unix socket that the URL names stay inside the machine. Any other connection to PostgreSQL is
    TLS with the server's certificate and name verified (`sslmode=verify-full`; PostgreSQL documentation, 34.18).

    Raises:
        StateError: it is no URL of a supported database.
    """
    url = parse_database_url(database_url)
    if url.get_backend_name() == "sqlite":
        return True
    if any(name in url.query for name in _UNSEEN):
        return False
    return _by_socket(url) or url.query.get("sslmode") == _VERIFIED


def _by_socket(url: URL) -> bool:
    # Without a host libpq takes the environment's PGHOST; `hostaddr` outweighs every host.
    if url.host or "hostaddr" in url.query:
        return False
    named = url.query.get("host", "")
    hosts = [host for text in ([named] if isinstance(named, str) else named) for host in text.split(",")]
    return all(host.startswith("/") for host in hosts)
