"""What earlier releases wrote, and the tests that today's code reads it.

Belongs here: a folder for each version of the stored formats, and what made it. Must stay out: anything of a person.
The rows are invented, and the keys, lying beside what they open, protect nothing.
"""
