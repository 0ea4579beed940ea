"""The guard: what may leave the process as text, and what libraries may send over the network.

Belongs here: redaction of text before it is persisted, safe descriptions of errors, switches against telemetry.
Must stay out: decisions about who may do what (access), and the data itself (vault).
"""
