"""What can go wrong between a masked table and a model; no text here holds a value of a person."""


class TrainingError(Exception):
    """Policy and table do not fit together, or nothing can be learned from them. The message says what to do."""


class ModelFileError(Exception):
    """A stored model is damaged, or holds a type that is not trusted; it is not loaded."""
