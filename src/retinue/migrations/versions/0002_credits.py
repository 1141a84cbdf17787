"""Credit accounts, the append-only ledger, open holds, and keyed requests."""

import sqlalchemy as sa
from alembic import op

from retinue.base.tables import Instant

revision = "0002_credits"
down_revision = "0001_accounts"
branch_labels = None
depends_on = None

MOST = 10**15 - 1


def upgrade() -> None:
    op.create_table(
        "credit_accounts",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_credit_accounts"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_credit_accounts_user_id_users"),
        sa.CheckConstraint("held >= 0", name="held_not_negative"),
        sa.CheckConstraint("balance - held >= 0", name="available_not_negative"),
        sa.CheckConstraint(f"balance <= {MOST}", name="balance_fits"),
    )
    op.create_table(
        "credit_entries",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("balance_before", sa.BigInteger(), nullable=False),
        sa.Column("balance_after", sa.BigInteger(), nullable=False),
        sa.Column("held_before", sa.BigInteger(), nullable=False),
        sa.Column("held_after", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(40), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.String(36)),
        sa.Column("part", sa.String(80), nullable=False),
        sa.Column("charge_id", sa.String(36)),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credit_entries"),
        sa.UniqueConstraint("user_id", "number", name="uq_credit_entries_user_id_number"),
        sa.CheckConstraint(
            f"amount BETWEEN {-MOST} AND {MOST} AND (amount >= 0 OR kind = 'adjust')",
            name="amount_fits",
        ),
        sa.CheckConstraint(
            "balance_after - balance_before = CASE kind"
            " WHEN 'charge' THEN -amount WHEN 'hold' THEN 0 WHEN 'release' THEN 0 ELSE amount END"
            " AND held_after - held_before = CASE kind"
            " WHEN 'hold' THEN amount WHEN 'charge' THEN -amount WHEN 'release' THEN -amount ELSE 0 END",
            name="effect_of_kind",
        ),
    )
    _index("uq_credit_entries_one_charge_per_part", "hold_id", "part", only="charge", unique=True)
    _index("uq_credit_entries_one_release_per_hold", "hold_id", only="release", unique=True)
    _index("ix_credit_entries_refunds_of_charge", "charge_id", only="refund")
    op.create_table(
        "credit_open_holds",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.String(40), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant()),
        sa.PrimaryKeyConstraint("id", name="pk_credit_open_holds"),
        sa.CheckConstraint('"left" >= 0', name="left_not_negative"),
    )
    op.create_index("ix_credit_open_holds_user_id", "credit_open_holds", ["user_id"])
    op.create_index(
        "ix_credit_open_holds_expires_at",
        "credit_open_holds",
        ["expires_at"],
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("ticket", sa.String(36), nullable=False),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.Column("status", sa.SmallInteger()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "route", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    _forbid_changes_sqlite() if op.get_bind().dialect.name == "sqlite" else _forbid_changes_postgresql()


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_table("credit_open_holds")
    op.drop_table("credit_entries")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION credit_entries_refuse()")
    op.drop_table("credit_accounts")


def _index(name: str, *columns: str, only: str, unique: bool = False) -> None:
    where = sa.text(f"kind = '{only}'")
    op.create_index(name, "credit_entries", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _forbid_changes_sqlite() -> None:
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER credit_entries_no_{verb} BEFORE {verb.upper()} ON credit_entries "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )


def _forbid_changes_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION credit_entries_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for verb in ("update", "delete", "truncate"):
        op.execute(
            f"CREATE TRIGGER credit_entries_no_{verb} BEFORE {verb.upper()} ON credit_entries "
            "FOR EACH STATEMENT EXECUTE FUNCTION credit_entries_refuse()"
        )
    # Both rows are updated over and over: room in the page keeps their new versions beside the old ones.
    op.execute("ALTER TABLE credit_accounts SET (fillfactor = 50)")
    op.execute("ALTER TABLE credit_open_holds SET (fillfactor = 70)")
