"""Numbers of accounts, cards and banks, and what people earn: one detector a file."""
