"""Steps of the schema; each is final once released."""
