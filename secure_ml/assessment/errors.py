"""What an assessment refuses to do, in words that say what to do instead and name no value of a row."""


class AssessmentError(Exception):
    """An assessment that cannot be made from what it was given."""
