"""Which version each active one took over from, so that a roll-back knows where to go."""

import sqlalchemy as sa
from alembic import op

revision = "0011_took_over_from"
down_revision = "0010_toolkits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_versions", sa.Column("took_over_from", sa.String(36)))


def downgrade() -> None:
    op.drop_column("model_versions", "took_over_from")
