"""The schema's history, one file a step; the program runs it when it opens the state."""
