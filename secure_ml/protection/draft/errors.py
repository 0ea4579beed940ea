"""What cannot be drafted, in words that say what to do and hold no cell."""


class DraftError(Exception):
    """No policy can be drafted for this table; the text names files and columns, never a value."""


class PolicyExists(DraftError):
    """There is a policy already, and a draft does not replace what a steward may have edited."""
