"""Recipes: how the shipped demonstration tables are made.

Belongs here: generators of invented people and their records, the same for the same seed, that need nothing of the
rest of the project. Must stay out: anything that touches a real table, a policy, a key or the vault.
"""
