"""The assets of a project, one module a stage; each body takes inputs, calls one function and returns a dataset."""
