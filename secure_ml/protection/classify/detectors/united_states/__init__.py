"""Identifiers that the United States issue: one detector a file."""
