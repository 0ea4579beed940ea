"""What is wrong with the description of who may do what.

Belongs here: that error. Must stay out: refusals, which are decisions and no errors.
"""


class AccessError(Exception):
    """A file of roles or actors that cannot be used; its text names file, line and field, and what to write instead."""
