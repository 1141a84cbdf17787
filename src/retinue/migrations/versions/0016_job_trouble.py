"""A job tells why items failed that nobody knows any more: the reason stood in the log only."""

import sqlalchemy as sa
from alembic import op

revision = "0016_job_trouble"
down_revision = "0015_loan_proofs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("trouble", sa.String()))


def downgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("trouble")
