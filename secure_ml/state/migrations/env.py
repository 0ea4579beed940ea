"""How Alembic runs the steps: inside the one transaction that the caller opened.

Must stay out: opening connections, reading files or the environment.
"""

from alembic import context
from sqlalchemy import Connection

from secure_ml.state.tables import metadata

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
