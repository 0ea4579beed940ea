"""Classification: which column of a table holds what, by shape, check digit and the column's name.

Belongs here: detectors, the streaming classifier, findings, their comparison with a policy.
Must stay out: changing data.
"""
