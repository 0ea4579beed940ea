"""From a masked table to a trained model: split, leakage, encoding, estimators.

Belongs here: learning, as plain functions over datasets. Must stay out: Dagster, storage, judging a model (assessment).
"""
