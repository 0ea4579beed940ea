"""A first policy for a table that nobody has described yet.

Belongs here: what can be told from the table itself, and the words that hand the rest to the steward. Must stay out:
training, and any number or text in the draft that fewer than twenty people hold.
"""
