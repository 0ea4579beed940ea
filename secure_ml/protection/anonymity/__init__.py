"""Anonymity: into which classes the quasi-identifiers of `masked` divide people, and what that lets a stranger infer.

Belongs here: counting classes, measures over them, the choice of what is suppressed, the search for a generalisation.
Must stay out: how a cell is treated (mask), and what a failure means (orchestration.checks).
"""
