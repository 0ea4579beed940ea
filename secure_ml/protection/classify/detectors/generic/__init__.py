"""Identifiers and attributes of people anywhere: one detector a file."""
