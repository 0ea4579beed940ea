"""The guard: what may leave the process as text, what may go over the network, and what in the log is worth a look.

Belongs here: redaction of text before it is persisted, safe descriptions of errors, switches against telemetry, the
tripwire against reaching out, detectors of security events, the webhook.
Must stay out: decisions about who may do what (access), and the data itself (vault).
"""
