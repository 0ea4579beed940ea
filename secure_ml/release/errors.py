"""What a release refuses, in words that say what to do and hold no value of a person."""


class CardError(Exception):
    """A model card that cannot be written, since it would not be true or not be whole."""
