"""Whether a prediction or a picture is the proof of a hand-over is asked whenever one is deleted."""

from alembic import op

revision = "0015_loan_proofs"
down_revision = "0014_weights"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_loans_prediction_id", "loans", ["prediction_id"])
    op.create_index("ix_loans_image_id", "loans", ["image_id"])


def downgrade() -> None:
    op.drop_index("ix_loans_image_id", "loans")
    op.drop_index("ix_loans_prediction_id", "loans")
