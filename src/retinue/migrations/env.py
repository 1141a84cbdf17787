"""Runs the steps on the connection that `base/migrating.py` hands over, inside its transaction."""

from alembic import context

from retinue.base.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
