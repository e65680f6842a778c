"""pricing: forecasts of demand with proposals to reorder, and proposals of prices with what they earned

Revision: 0068, after 0067

New tables: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
OBJECT = sa.text("'{}'::jsonb")


def upgrade() -> None:
    op.create_table('forecast_runs',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.Column('until', sa.Date, nullable=False),
    sa.Column('days', sa.Integer, nullable=False),
    sa.Column('service', sa.Double, nullable=False),
    sa.Column('series', sa.Integer, nullable=False),
    sa.Column('tested_days', sa.Integer, nullable=True),
    sa.Column('summary', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('requested_by', sa.String(100), nullable=True),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_forecast_runs_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_forecast_runs')),
    )
    op.create_index('ix_forecast_runs_made_at', 'forecast_runs', ['made_at'])
    op.create_index('ix_forecast_runs_organisation_id', 'forecast_runs', ['organisation_id', 'made_at', 'id'])
    op.create_table('forecast_series',
    sa.Column('run_id', sa.Uuid, nullable=False),
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('location_id', sa.Uuid, nullable=False),
    sa.Column('method', sa.String(20), nullable=False),
    sa.Column('daily', JSONB, nullable=False),
    sa.Column('total', sa.Double, nullable=False),
    sa.Column('low', sa.Double, nullable=True),
    sa.Column('high', sa.Double, nullable=True),
    sa.Column('known_days', sa.Integer, nullable=False),
    sa.Column('scores', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('actual', sa.Integer, nullable=True),
    sa.Column('unknown_days', sa.Integer, nullable=True),
    sa.ForeignKeyConstraint(['location_id'], ['stock_locations.id'], name=op.f('fk_forecast_series_location_id')),
    sa.ForeignKeyConstraint(['run_id'], ['forecast_runs.id'], name=op.f('fk_forecast_series_run_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_forecast_series_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'variant_id', 'location_id', name=op.f('pk_forecast_series')),
    )
    op.create_index('ix_forecast_series_location_id', 'forecast_series', ['location_id'])
    op.create_index('ix_forecast_series_variant_id', 'forecast_series', ['variant_id'])
    op.create_table('reorder_proposals',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('run_id', sa.Uuid, nullable=False),
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('location_id', sa.Uuid, nullable=False),
    sa.Column('units', sa.Integer, nullable=False),
    sa.Column('figures', JSONB, nullable=False),
    sa.Column('reason', sa.String(300), nullable=False),
    sa.Column('state', sa.String(10), server_default=sa.text("'open'"), nullable=False),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.Column('decided_at', TIME, nullable=True),
    sa.Column('decided_by', sa.String(100), nullable=True),
    sa.Column('note', sa.String(300), server_default='', nullable=False),
    sa.CheckConstraint("state IN ('open', 'accepted', 'dismissed', 'outdated')", name=op.f('ck_reorder_proposals_state')),
    sa.CheckConstraint('units > 0', name=op.f('ck_reorder_proposals_units')),
    sa.ForeignKeyConstraint(['location_id'], ['stock_locations.id'], name=op.f('fk_reorder_proposals_location_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_reorder_proposals_organisation_id')),
    sa.ForeignKeyConstraint(['run_id'], ['forecast_runs.id'], name=op.f('fk_reorder_proposals_run_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_reorder_proposals_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reorder_proposals')),
    )
    op.create_index('ix_reorder_proposals_location_id', 'reorder_proposals', ['location_id'])
    op.create_index('ix_reorder_proposals_organisation_id', 'reorder_proposals', ['organisation_id', 'made_at', 'id'])
    op.create_index('ix_reorder_proposals_run_id', 'reorder_proposals', ['run_id'])
    op.create_index('uq_reorder_proposals_open', 'reorder_proposals', ['variant_id', 'location_id'], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_table('pricing_runs',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.Column('variants', sa.Integer, nullable=False),
    sa.Column('estimated', sa.Integer, nullable=False),
    sa.Column('proposals', sa.Integer, nullable=False),
    sa.Column('reasons', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('requested_by', sa.String(100), nullable=True),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_pricing_runs_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pricing_runs')),
    )
    op.create_index('ix_pricing_runs_made_at', 'pricing_runs', ['made_at'])
    op.create_index('ix_pricing_runs_organisation_id', 'pricing_runs', ['organisation_id', 'made_at', 'id'])
    op.create_table('price_proposals',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('run_id', sa.Uuid, nullable=False),
    sa.Column('currency', sa.String(3), nullable=False),
    sa.Column('before_minor', sa.BigInteger, nullable=False),
    sa.Column('after_minor', sa.BigInteger, nullable=False),
    sa.Column('basis', sa.String(20), nullable=False),
    sa.Column('words', sa.String(300), nullable=False),
    sa.Column('evidence', JSONB, nullable=False),
    sa.Column('expected', JSONB, nullable=False),
    sa.Column('state', sa.String(10), server_default=sa.text("'open'"), nullable=False),
    sa.Column('request_id', sa.Uuid, nullable=True),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.Column('decided_at', TIME, nullable=True),
    sa.Column('decided_by', sa.String(100), nullable=True),
    sa.Column('why', sa.String(300), server_default='', nullable=False),
    sa.Column('applied_at', TIME, nullable=True),
    sa.Column('undone_at', TIME, nullable=True),
    sa.Column('result', JSONB, nullable=True),
    sa.Column('measured_at', TIME, nullable=True),
    sa.CheckConstraint("state IN ('open', 'applied', 'dismissed', 'expired', 'overtaken', 'undone')", name=op.f('ck_price_proposals_state')),
    sa.CheckConstraint('before_minor > 0 AND after_minor > 0 AND before_minor <> after_minor', name=op.f('ck_price_proposals_amounts')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_price_proposals_organisation_id')),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_price_proposals_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_price_proposals')),
    )
    op.create_index('ix_price_proposals_applied_at', 'price_proposals', ['organisation_id', 'applied_at'], postgresql_where=sa.text('applied_at IS NOT NULL'))
    op.create_index('ix_price_proposals_made_at', 'price_proposals', ['made_at'])
    op.create_index('ix_price_proposals_organisation_id', 'price_proposals', ['organisation_id', 'made_at', 'id'])
    op.create_index('ix_price_proposals_variant_id', 'price_proposals', ['variant_id', 'applied_at'])
    op.create_index('uq_price_proposals_open', 'price_proposals', ['variant_id'], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_table('price_elasticities',
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('value', sa.Double, nullable=False),
    sa.Column('error', sa.Double, nullable=False),
    sa.Column('own', sa.Double, nullable=False),
    sa.Column('own_error', sa.Double, nullable=False),
    sa.Column('category', sa.String(100), nullable=False),
    sa.Column('weeks', sa.Integer, nullable=False),
    sa.Column('prices', sa.Integer, nullable=False),
    sa.Column('units', sa.Integer, nullable=False),
    sa.Column('made_at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_price_elasticities_organisation_id')),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_price_elasticities_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('variant_id', name=op.f('pk_price_elasticities')),
    )
    op.create_index('ix_price_elasticities_organisation_id', 'price_elasticities', ['organisation_id'])
    op.create_table('competitor_prices',
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('competitor', sa.String(100), nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('price_minor', sa.BigInteger, nullable=False),
    sa.Column('seen_at', TIME, nullable=False),
    sa.Column('imported_by', sa.String(100), nullable=False),
    sa.CheckConstraint('price_minor > 0', name=op.f('ck_competitor_prices_price')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_competitor_prices_organisation_id')),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_competitor_prices_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('variant_id', 'competitor', name=op.f('pk_competitor_prices')),
    )
    op.create_index('ix_competitor_prices_organisation_id', 'competitor_prices', ['organisation_id'])
    op.create_index('ix_competitor_prices_seen_at', 'competitor_prices', ['seen_at'])


def downgrade() -> None:
    op.drop_table("competitor_prices")
    op.drop_table("price_elasticities")
    op.drop_table("price_proposals")
    op.drop_table("pricing_runs")
    op.drop_table("reorder_proposals")
    op.drop_table("forecast_series")
    op.drop_table("forecast_runs")
