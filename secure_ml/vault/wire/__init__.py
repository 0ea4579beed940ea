"""The kernel's interface between two processes: a Unix socket, its frames, its two ends.

Belongs here: how messages and errors travel. Must stay out: what they mean.
"""
