"""Identifiers that countries of Europe issue: one detector a file."""
