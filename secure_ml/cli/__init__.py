"""The command line `secure-ml`, one file a command group.

Belongs here: asking and showing. Must stay out: whatever another room could do without a terminal.
"""
