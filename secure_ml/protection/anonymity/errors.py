"""What goes wrong with anonymity."""


class AnonymityError(Exception):
    """A table that cannot be brought to what the policy asks for; the text holds figures and names of columns."""
