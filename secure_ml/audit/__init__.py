"""The audit log: an append-only Merkle tree of events with signed checkpoints.

Belongs here: events, the tree, checkpoints, proofs, verification. Must stay out: who may do what,
and the keys themselves.
"""
