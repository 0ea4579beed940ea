"""The checks of each stage, one module a stage; each is one pass over the version, and its verdicts are signed."""
