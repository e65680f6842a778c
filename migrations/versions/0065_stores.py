"""stores: the catalogue and its stock, orders, and stores with what both sides last had

Revision: 0065, after 0064

New tables: workers of the version before know nothing of them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")
OBJECT = sa.text("'{}'::jsonb")
LIST = sa.text("'[]'::jsonb")


def upgrade() -> None:
    op.create_table('products',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('title', sa.String(300), nullable=False),
    sa.Column('description', sa.Text, server_default='', nullable=False),
    sa.Column('status', sa.String(20), server_default='active', nullable=False),
    sa.Column('brand', sa.String(100), server_default='', nullable=False),
    sa.Column('categories', ARRAY(sa.String(100)), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('images', JSONB, server_default=LIST, nullable=False),
    sa.Column('attributes', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('origins', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('version', sa.Integer, server_default=sa.text('1'), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('updated_at', TIME, server_default=NOW, nullable=False),
    sa.Column('words', TSVECTOR, sa.Computed("to_tsvector('simple', title || ' ' || brand || ' ' || description)", persisted=True), nullable=False),
    sa.CheckConstraint("status IN ('active', 'draft', 'archived')", name=op.f('ck_products_status')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_products_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_products')),
    )
    op.create_index('ix_products_categories', 'products', ['categories'], postgresql_using='gin')
    op.create_index('ix_products_organisation_id_updated_at', 'products', ['organisation_id', 'updated_at', 'id'])
    op.create_index('ix_products_words', 'products', ['words'], postgresql_using='gin')
    op.create_table('product_imports',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('name', sa.String(200), nullable=False),
    sa.Column('content', sa.LargeBinary, nullable=False),
    sa.Column('digest', sa.String(64), nullable=False),
    sa.Column('counts', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('created_by', sa.String(100), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('applied_at', TIME, nullable=True),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_product_imports_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product_imports')),
    )
    op.create_index('ix_product_imports_created_at', 'product_imports', ['created_at'])
    op.create_index('ix_product_imports_organisation_id', 'product_imports', ['organisation_id'])
    op.create_table('stock_locations',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('name', sa.String(100), nullable=False),
    sa.Column('is_default', sa.Boolean, server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_stock_locations_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stock_locations')),
    sa.UniqueConstraint('organisation_id', 'name', name='uq_stock_locations_name'),
    )
    op.create_index('uq_stock_locations_default', 'stock_locations', ['organisation_id'], unique=True, postgresql_where=sa.text('is_default'))
    op.create_table('customers',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('external_id', sa.String(200), nullable=True),
    sa.Column('ciphertext', sa.LargeBinary, nullable=True),
    sa.Column('key_id', sa.String(12), nullable=True),
    sa.Column('email_hash', sa.String(64), nullable=True),
    sa.Column('country', sa.String(2), server_default='', nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('erased_at', TIME, nullable=True),
    sa.CheckConstraint('(ciphertext IS NULL) = (key_id IS NULL)', name=op.f('ck_customers_sealed')),
    sa.CheckConstraint('erased_at IS NULL OR (ciphertext IS NULL AND external_id IS NULL AND email_hash IS NULL)', name=op.f('ck_customers_erased')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_customers_account_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_customers_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_customers')),
    )
    op.create_index('ix_customers_email_hash', 'customers', ['email_hash'], postgresql_where=sa.text('email_hash IS NOT NULL'))
    op.create_index('ix_customers_organisation_id', 'customers', ['organisation_id'])
    op.create_index('uq_customers_external_id', 'customers', ['account_id', 'external_id'], unique=True, postgresql_where=sa.text('external_id IS NOT NULL'))
    op.create_table('external_refs',
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('kind', sa.String(20), nullable=False),
    sa.Column('local_id', sa.Uuid, nullable=False),
    sa.Column('external_id', sa.String(200), nullable=True),
    sa.Column('parent_id', sa.String(200), server_default='', nullable=False),
    sa.Column('key', sa.String(300), server_default='', nullable=False),
    sa.Column('state', sa.String(20), nullable=False),
    sa.Column('digest', sa.String(64), server_default='', nullable=False),
    sa.Column('changed_at', TIME, nullable=True),
    sa.Column('seen_at', TIME, nullable=True),
    sa.Column('missed', sa.SmallInteger, server_default=sa.text('0'), nullable=False),
    sa.Column('details', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('gone_at', TIME, nullable=True),
    sa.CheckConstraint("kind IN ('product', 'variant', 'image')", name=op.f('ck_external_refs_kind')),
    sa.CheckConstraint("state IN ('pending', 'mapped', 'conflict', 'ignored', 'gone')", name=op.f('ck_external_refs_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_external_refs_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'kind', 'local_id', name=op.f('pk_external_refs')),
    )
    op.create_index('ix_external_refs_key', 'external_refs', ['account_id', 'kind', 'key'], postgresql_where=sa.text("key <> ''"))
    op.create_index('ix_external_refs_local_id', 'external_refs', ['local_id'])
    op.create_index('uq_external_refs_external_id', 'external_refs', ['account_id', 'kind', 'external_id'], unique=True, postgresql_where=sa.text("external_id IS NOT NULL AND state <> 'gone'"))
    op.create_table('field_states',
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('local_id', sa.Uuid, nullable=False),
    sa.Column('field', sa.String(40), nullable=False),
    sa.Column('base', JSONB, nullable=True),
    sa.Column('remote', JSONB, nullable=True),
    sa.Column('remote_at', TIME, server_default=NOW, nullable=False),
    sa.Column('base_at', TIME, nullable=True),
    sa.Column('written_by', sa.Uuid, nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_field_states_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'local_id', 'field', name=op.f('pk_field_states')),
    )
    op.create_table('product_variants',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('product_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('sku', sa.String(100), nullable=False),
    sa.Column('title', sa.String(300), server_default='', nullable=False),
    sa.Column('options', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('barcode', sa.String(60), server_default='', nullable=False),
    sa.Column('currency', sa.String(3), nullable=False),
    sa.Column('price_minor', sa.BigInteger, nullable=True),
    sa.Column('cost_minor', sa.BigInteger, nullable=True),
    sa.Column('floor_minor', sa.BigInteger, nullable=True),
    sa.Column('position', sa.SmallInteger, server_default=sa.text('0'), nullable=False),
    sa.Column('origins', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('updated_at', TIME, server_default=NOW, nullable=False),
    sa.Column('removed_at', TIME, nullable=True),
    sa.CheckConstraint('price_minor >= 0 AND cost_minor >= 0 AND floor_minor >= 0', name=op.f('ck_product_variants_amounts')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_product_variants_organisation_id')),
    sa.ForeignKeyConstraint(['product_id'], ['products.id'], name=op.f('fk_product_variants_product_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_product_variants')),
    )
    op.create_index('ix_product_variants_product_id', 'product_variants', ['product_id', 'position'])
    op.create_index('uq_product_variants_sku', 'product_variants', ['organisation_id', 'sku'], unique=True, postgresql_where=sa.text("sku <> '' AND removed_at IS NULL"))
    op.create_table('shop_events',
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('event_id', sa.String(200), nullable=False),
    sa.Column('kind', sa.String(20), nullable=False),
    sa.Column('priority', sa.SmallInteger, nullable=False),
    sa.Column('product_id', sa.String(200), server_default='', nullable=False),
    sa.Column('variant_id', sa.String(200), server_default='', nullable=False),
    sa.Column('order_id', sa.String(200), server_default='', nullable=False),
    sa.Column('received_at', TIME, server_default=NOW, nullable=False),
    sa.Column('handled_by', sa.Uuid, nullable=True),
    sa.Column('handled_at', TIME, nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_shop_events_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'event_id', name=op.f('pk_shop_events')),
    )
    op.create_index('ix_shop_events_handled_at', 'shop_events', ['handled_at'], postgresql_where=sa.text('handled_at IS NOT NULL'))
    op.create_index('ix_shop_events_open', 'shop_events', ['account_id', 'priority', 'received_at'], postgresql_where=sa.text('handled_at IS NULL'))
    op.create_table('sync_cursors',
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('stream', sa.String(20), nullable=False),
    sa.Column('value', TIME, nullable=True),
    sa.Column('swept_at', TIME, nullable=True),
    sa.Column('read_at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_sync_cursors_account_id')),
    sa.PrimaryKeyConstraint('account_id', 'stream', name=op.f('pk_sync_cursors')),
    )
    op.create_table('sync_runs',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('strategy', sa.String(20), nullable=False),
    sa.Column('direction', sa.String(10), nullable=False),
    sa.Column('priority', sa.SmallInteger, nullable=False),
    sa.Column('reason', sa.String(300), nullable=False),
    sa.Column('requested_by', sa.String(100), nullable=True),
    sa.Column('state', sa.String(20), server_default='running', nullable=False),
    sa.Column('step', sa.String(20), server_default='', nullable=False),
    sa.Column('part', sa.SmallInteger, server_default=sa.text('0'), nullable=False),
    sa.Column('cursor', sa.Text, nullable=True),
    sa.Column('only', JSONB, server_default=LIST, nullable=False),
    sa.Column('counts', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('expected', sa.Integer, nullable=True),
    sa.Column('problem', sa.String(500), server_default='', nullable=False),
    sa.Column('started_at', TIME, server_default=NOW, nullable=False),
    sa.Column('moved_at', TIME, server_default=NOW, nullable=False),
    sa.Column('ended_at', TIME, nullable=True),
    sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name=op.f('ck_sync_runs_ended')),
    sa.CheckConstraint("direction IN ('pull', 'push', 'both')", name=op.f('ck_sync_runs_direction')),
    sa.CheckConstraint("state IN ('running', 'done', 'failed', 'cancelled')", name=op.f('ck_sync_runs_state')),
    sa.CheckConstraint("strategy IN ('full', 'incremental', 'selective', 'stock')", name=op.f('ck_sync_runs_strategy')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_sync_runs_account_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_sync_runs_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_runs')),
    )
    op.create_index('ix_sync_runs_account_id_started_at', 'sync_runs', ['account_id', 'started_at', 'id'])
    op.create_index('ix_sync_runs_ended_at', 'sync_runs', ['ended_at'], postgresql_where=sa.text('ended_at IS NOT NULL'))
    op.create_index('ix_sync_runs_organisation_id', 'sync_runs', ['organisation_id'])
    op.create_index('uq_sync_runs_running', 'sync_runs', ['account_id'], unique=True, postgresql_where=sa.text("state = 'running'"))
    op.create_table('orders',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('external_id', sa.String(200), nullable=False),
    sa.Column('number', sa.String(100), nullable=False),
    sa.Column('state', sa.String(20), nullable=False),
    sa.Column('fulfilment', sa.String(20), server_default='unfulfilled', nullable=False),
    sa.Column('total_minor', sa.BigInteger, nullable=False),
    sa.Column('currency', sa.String(3), nullable=False),
    sa.Column('customer_id', sa.Uuid, nullable=True),
    sa.Column('placed_at', TIME, nullable=False),
    sa.Column('changed_at', TIME, nullable=True),
    sa.Column('read_at', TIME, server_default=NOW, nullable=False),
    sa.Column('held_at', TIME, nullable=True),
    sa.Column('held_why', sa.String(500), server_default='', nullable=False),
    sa.Column('fraud_points', sa.Integer, nullable=True),
    sa.Column('fraud_reasons', JSONB, server_default=LIST, nullable=False),
    sa.CheckConstraint("fulfilment IN ('unfulfilled', 'partial', 'fulfilled')", name=op.f('ck_orders_fulfilment')),
    sa.CheckConstraint("state IN ('pending', 'confirmed', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded')", name=op.f('ck_orders_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_orders_account_id')),
    sa.ForeignKeyConstraint(['customer_id'], ['customers.id'], name=op.f('fk_orders_customer_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_orders_organisation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_orders')),
    )
    op.create_index('ix_orders_customer_id', 'orders', ['customer_id'])
    op.create_index('ix_orders_held_at', 'orders', ['held_at'], postgresql_where=sa.text('held_at IS NOT NULL'))
    op.create_index('ix_orders_organisation_id_placed_at', 'orders', ['organisation_id', 'placed_at', 'id'])
    op.create_index('uq_orders_external_id', 'orders', ['account_id', 'external_id'], unique=True)
    op.create_table('stock_levels',
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('location_id', sa.Uuid, nullable=False),
    sa.Column('on_hand', sa.Integer, server_default=sa.text('0'), nullable=False),
    sa.Column('updated_at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['location_id'], ['stock_locations.id'], name=op.f('fk_stock_levels_location_id')),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_stock_levels_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('variant_id', 'location_id', name=op.f('pk_stock_levels')),
    )
    op.create_index('ix_stock_levels_location_id', 'stock_levels', ['location_id'])
    op.create_table('stock_movements',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('location_id', sa.Uuid, nullable=False),
    sa.Column('delta', sa.Integer, nullable=False),
    sa.Column('on_hand', sa.Integer, nullable=False),
    sa.Column('reason', sa.String(40), nullable=False),
    sa.Column('by', sa.String(100), nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=True),
    sa.Column('external_event', sa.String(300), nullable=True),
    sa.Column('at', TIME, server_default=NOW, nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_stock_movements_account_id')),
    sa.ForeignKeyConstraint(['location_id'], ['stock_locations.id'], name=op.f('fk_stock_movements_location_id')),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_stock_movements_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stock_movements')),
    )
    op.create_index('ix_stock_movements_at', 'stock_movements', ['at'])
    op.create_index('ix_stock_movements_location_id', 'stock_movements', ['location_id'])
    op.create_index('ix_stock_movements_variant_id', 'stock_movements', ['variant_id', 'at'])
    op.create_index('uq_stock_movements_external_event', 'stock_movements', ['account_id', 'external_event', 'variant_id'], unique=True, postgresql_where=sa.text('external_event IS NOT NULL'))
    op.create_table('stock_reservations',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('variant_id', sa.Uuid, nullable=False),
    sa.Column('location_id', sa.Uuid, nullable=False),
    sa.Column('quantity', sa.Integer, nullable=False),
    sa.Column('reason', sa.String(40), nullable=False),
    sa.Column('ref', sa.String(300), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('expires_at', TIME, nullable=True),
    sa.Column('released_at', TIME, nullable=True),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_stock_reservations_quantity')),
    sa.ForeignKeyConstraint(['location_id'], ['stock_locations.id'], name=op.f('fk_stock_reservations_location_id')),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_stock_reservations_variant_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stock_reservations')),
    )
    op.create_index('ix_stock_reservations_location_id', 'stock_reservations', ['location_id'])
    op.create_index('ix_stock_reservations_expires_at', 'stock_reservations', ['expires_at'], postgresql_where=sa.text('released_at IS NULL'))
    op.create_index('ix_stock_reservations_released_at', 'stock_reservations', ['released_at'], postgresql_where=sa.text('released_at IS NOT NULL'))
    op.create_index('ix_stock_reservations_variant_id', 'stock_reservations', ['variant_id'], postgresql_where=sa.text('released_at IS NULL'))
    op.create_index('uq_stock_reservations_ref', 'stock_reservations', ['ref', 'variant_id', 'location_id'], unique=True)
    op.create_table('stores',
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('agent_id', sa.Uuid, nullable=False),
    sa.Column('title', sa.String(100), nullable=False),
    sa.Column('currency', sa.String(3), nullable=False),
    sa.Column('location_ids', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('created_by', sa.String(100), nullable=False),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('synced_at', TIME, nullable=True),
    sa.Column('failed_syncs', sa.SmallInteger, server_default=sa.text('0'), nullable=False),
    sa.Column('problem', sa.String(500), server_default='', nullable=False),
    sa.Column('requested', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('removed_at', TIME, nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_stores_account_id')),
    sa.ForeignKeyConstraint(['agent_id'], ['agents.id'], name=op.f('fk_stores_agent_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_stores_organisation_id')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_stores')),
    )
    op.create_index('ix_stores_agent_id', 'stores', ['agent_id'])
    op.create_index('ix_stores_organisation_id', 'stores', ['organisation_id'])
    op.create_table('sync_conflicts',
    sa.Column('id', sa.Uuid, nullable=False),
    sa.Column('account_id', sa.Uuid, nullable=False),
    sa.Column('organisation_id', sa.Uuid, nullable=False),
    sa.Column('run_id', sa.Uuid, nullable=True),
    sa.Column('kind', sa.String(20), nullable=False),
    sa.Column('local_id', sa.Uuid, nullable=True),
    sa.Column('external_id', sa.String(200), server_default='', nullable=False),
    sa.Column('field', sa.String(40), server_default='', nullable=False),
    sa.Column('about', sa.String(300), server_default='', nullable=False),
    sa.Column('base', JSONB, nullable=True),
    sa.Column('local', JSONB, nullable=True),
    sa.Column('remote', JSONB, nullable=True),
    sa.Column('candidates', JSONB, server_default=LIST, nullable=False),
    sa.Column('state', sa.String(20), server_default='open', nullable=False),
    sa.Column('decision', sa.String(20), server_default='', nullable=False),
    sa.Column('decided_by', sa.String(100), nullable=True),
    sa.Column('created_at', TIME, server_default=NOW, nullable=False),
    sa.Column('decided_at', TIME, nullable=True),
    sa.CheckConstraint("state IN ('open', 'decided', 'settled')", name=op.f('ck_sync_conflicts_state')),
    sa.ForeignKeyConstraint(['account_id'], ['accounts.id'], name=op.f('fk_sync_conflicts_account_id')),
    sa.ForeignKeyConstraint(['organisation_id'], ['organisations.id'], name=op.f('fk_sync_conflicts_organisation_id')),
    sa.ForeignKeyConstraint(['run_id'], ['sync_runs.id'], name=op.f('fk_sync_conflicts_run_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_conflicts')),
    )
    op.create_index('ix_sync_conflicts_organisation_id', 'sync_conflicts', ['organisation_id', 'created_at', 'id'])
    op.create_index('ix_sync_conflicts_run_id', 'sync_conflicts', ['run_id'])
    op.create_index('uq_sync_conflicts_open', 'sync_conflicts', ['account_id', 'kind', sa.literal_column('coalesce(local_id::text, external_id)'), 'field'], unique=True, postgresql_where=sa.text("state <> 'settled'"))
    op.create_table('order_fulfilments',
    sa.Column('order_id', sa.Uuid, nullable=False),
    sa.Column('external_id', sa.String(200), nullable=False),
    sa.Column('quantities', JSONB, server_default=OBJECT, nullable=False),
    sa.Column('tracking', sa.String(200), server_default='', nullable=False),
    sa.Column('at', TIME, nullable=True),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_order_fulfilments_order_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('order_id', 'external_id', name=op.f('pk_order_fulfilments')),
    )
    op.create_table('order_lines',
    sa.Column('order_id', sa.Uuid, nullable=False),
    sa.Column('external_id', sa.String(200), nullable=False),
    sa.Column('variant_id', sa.Uuid, nullable=True),
    sa.Column('sku', sa.String(100), server_default='', nullable=False),
    sa.Column('title', sa.String(300), server_default='', nullable=False),
    sa.Column('quantity', sa.Integer, nullable=False),
    sa.Column('fulfilled', sa.Integer, server_default=sa.text('0'), nullable=False),
    sa.Column('unit_minor', sa.BigInteger, nullable=False),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_order_lines_order_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['variant_id'], ['product_variants.id'], name=op.f('fk_order_lines_variant_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('order_id', 'external_id', name=op.f('pk_order_lines')),
    )
    op.create_index('ix_order_lines_variant_id', 'order_lines', ['variant_id'])


def downgrade() -> None:
    # Policies of tables refer to others: those first that others do not refer to.
    op.drop_table("shop_events")
    op.drop_table("sync_conflicts")
    op.drop_table("sync_cursors")
    op.drop_table("sync_runs")
    op.drop_table("field_states")
    op.drop_table("external_refs")
    op.drop_table("stores")
    op.drop_table("order_fulfilments")
    op.drop_table("order_lines")
    op.drop_table("orders")
    op.drop_table("customers")
    op.drop_table("product_imports")
    op.drop_table("stock_movements")
    op.drop_table("stock_reservations")
    op.drop_table("stock_levels")
    op.drop_table("stock_locations")
    op.drop_table("product_variants")
    op.drop_table("products")
