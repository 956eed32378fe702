"""What every layer may use: errors, records, progress, seeds and durable files."""
