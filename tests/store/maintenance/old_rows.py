"""Rows of a database of the first version, in use."""

OLD_ROWS = """
INSERT INTO orders (workshop, id, version, archived, changed_at, short_name, person, missing_parts, shop_day,
  finish_day, plate_key, person_key, phone_key, email_key, damage_key, status_key, text_key, document)
VALUES ('reit', 123, 7, 0, '2026-11-23T00:00:01.000000Z', 'WN-AE 2309', 'Jürgen', 0, '', '', '', '', '', '', '', '', '',
  '{"id":123,"person":"Jürgen"}');
INSERT INTO sightings (workshop, order_id, read_at, synced_at, list_fingerprint)
VALUES ('reit', 123, '2026-11-23T00:00:01.000000Z', '2026-11-23T00:00:02.000000Z', 'one');
INSERT INTO parts (workshop, order_id, position, part_no, is_to_order, is_ordered, is_delivered, is_backorder,
  is_mandatory, is_price_checked, is_missing)
VALUES ('reit', 123, 0, '5G6 807 421', 0, 1, 0, 0, 0, 0, 1);
INSERT INTO operations (workshop, id, action, order_id, state, asked, message, created_at)
VALUES ('reit', 'op_1', 'update', 123, 'pending', '{"person":"Olga"}', '', '2026-11-23T00:00:03.000000Z');
INSERT INTO runs (workshop, id, state, phase, done, total, requests, changed, failed, message, started_at, updated_at)
VALUES ('reit', 'run_1', 'running', 'orders', 3, 9, 7, 1, '[]', '', '2026-11-23T00:00:01.000000Z',
  '2026-11-23T00:00:02.000000Z');
INSERT INTO rejected_logins VALUES ('reit', 'fingerprint', '2026-11-23T00:00:01.000000Z');
"""
