"""What every layer may use: errors, JSON, the clock, ids, tasks, redaction."""
