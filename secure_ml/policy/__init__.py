"""What a project declares about its data: pydantic models, read from YAML.

Belongs here: the models, their validation, loading with clear errors, and their generated reference.
Must stay out: any access to data, keys or Dagster.
"""
