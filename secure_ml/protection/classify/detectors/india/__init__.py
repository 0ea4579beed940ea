"""Identifiers that India issues: one detector a file."""
