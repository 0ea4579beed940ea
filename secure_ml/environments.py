"""Dagster code locations, one attribute an environment."""

from secure_ml.definitions import build

training = build("training")
