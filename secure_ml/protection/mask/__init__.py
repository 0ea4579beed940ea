"""Masking: what is done to each column before anything but classification may see it, and the proof that it was done.

Belongs here: one treatment a file, the masked dataset, its inspection. Must stay out: what is sensitive (classify),
keys and storage, Dagster.
"""
