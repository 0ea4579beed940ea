"""Keys: where the root key lives, how others are wrapped, derived, destroyed, and how statements are signed.

Belongs here: everything that touches a secret key, and the randomness that makes one. Must stay out: who may use a
key, and data.
"""
