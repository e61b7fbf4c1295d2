"""Migrations, backup, restore and VACUUM."""
