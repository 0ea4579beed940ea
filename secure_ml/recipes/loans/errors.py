"""What can go wrong while a table is made.

Belongs here: typed errors that say what to do. Must stay out: anything that knows a row.
"""


class RecipeError(Exception):
    """A demonstration table could not be made as asked; the message says what to change."""
