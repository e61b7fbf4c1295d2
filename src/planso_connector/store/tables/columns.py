"""What the definitions of all tables share."""

from sqlalchemy import MetaData, Text
from sqlalchemy.dialects import postgresql

metadata = MetaData()

KEY = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""A text that is sorted or compared: by code point, on both databases."""
