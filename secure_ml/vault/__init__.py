"""Data at rest and in motion: labelled datasets, encrypted parts, signed manifests, and the door that alone opens them.

Belongs here: whatever reads, writes or commits data. Must stay out: what the data means to a stage, and Dagster.
"""
