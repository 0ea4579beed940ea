"""Release: the model card, signature, registry entry, approval and deployment of a validated model.

Belongs here: what a model's version is known by outside the vault. Must stay out: the model itself, which stays in the
vault, encrypted, and how it was made or judged.
"""
