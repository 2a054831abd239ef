"""What was used, by whom and at what cost: recorded once per request, kept in SQLite."""
