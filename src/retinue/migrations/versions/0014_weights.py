"""How much of the workers a person's jobs get beside those of others."""

import sqlalchemy as sa
from alembic import op

revision = "0014_weights"
down_revision = "0013_shadow"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("weight", sa.SmallInteger, nullable=False, server_default="1"))


def downgrade() -> None:
    op.drop_column("users", "weight")
