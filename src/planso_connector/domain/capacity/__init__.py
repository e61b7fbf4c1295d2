"""When a workshop has room: its capacity, how planned hours are spread over days, and what level a day has."""
