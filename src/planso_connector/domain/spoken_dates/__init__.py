"""Days and times as callers say them, German and English: what they mean, and how they are said back."""
