"""The installation's durable state: one relational database, its tables, its migrations, its transactions.

Belongs here: the schema and how a transaction begins, ends and fails. Must stay out: what any row means.
"""
