"""
SQLAlchemy definitions of all tables. Every row belongs to a workshop, which comes first in every primary key, but for
those of INSTALLATION_TABLES, which are read without one.

Flags are 0 or 1, instants the 27 characters of `domain.clock.format_instant`, days ISO texts, documents JSON texts.
"""

from planso_connector.store.tables.columns import metadata as metadata
from planso_connector.store.tables.feed import change_feed as change_feed
from planso_connector.store.tables.feed import change_feed_bounds as change_feed_bounds
from planso_connector.store.tables.feed import webhook_attempts as webhook_attempts
from planso_connector.store.tables.feed import webhook_retries as webhook_retries
from planso_connector.store.tables.feed import webhooks as webhooks
from planso_connector.store.tables.mirror import history as history
from planso_connector.store.tables.mirror import last_seen as last_seen
from planso_connector.store.tables.mirror import lookup_keys as lookup_keys
from planso_connector.store.tables.mirror import orders as orders
from planso_connector.store.tables.mirror import parts as parts
from planso_connector.store.tables.mirror import sections as sections
from planso_connector.store.tables.mirror import unreadable_pages as unreadable_pages
from planso_connector.store.tables.privacy import access_log as access_log
from planso_connector.store.tables.privacy import api_keys as api_keys
from planso_connector.store.tables.privacy import erasure_log as erasure_log
from planso_connector.store.tables.processes import forwarded_calls as forwarded_calls
from planso_connector.store.tables.processes import leases as leases
from planso_connector.store.tables.processes import planso_leases as planso_leases
from planso_connector.store.tables.processes import rejected_logins as rejected_logins
from planso_connector.store.tables.processes import sync_runs as sync_runs
from planso_connector.store.tables.workshop import capacities as capacities
from planso_connector.store.tables.workshop import notices as notices
from planso_connector.store.tables.workshop import slot_holds as slot_holds
from planso_connector.store.tables.workshop import workshops as workshops
from planso_connector.store.tables.writing import operations as operations
from planso_connector.store.tables.writing import save_effects as save_effects
from planso_connector.store.tables.writing import save_evidence as save_evidence
from planso_connector.store.tables.writing import write_stops as write_stops

INSTALLATION_TABLES = frozenset({"workshops", "planso_leases"})
"""Tables of the installation: their rows are not of one workshop."""
