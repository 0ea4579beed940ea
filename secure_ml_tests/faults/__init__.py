"""Disks that refuse and processes that die, at every system call in turn."""
