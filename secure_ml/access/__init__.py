"""Who may do what: run identities, and pure decisions with a reason.

Belongs here: tickets, the stage graph, `decide`. Must stay out: keys, data and the log, which obey the decisions.
"""
