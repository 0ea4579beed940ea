"""Protection: what turns a raw table into one that may be worked with.

Belongs here: classification of columns, their masking, anonymity. Must stay out: storage, keys, training.
"""
