"""Differential privacy: what noise a guarantee needs, the noise itself, and the budget that pays for it.

Belongs here: accounting, noise mechanisms, the persistent ledger. Must stay out: what is released (training, synthesis)
and any access to data.
"""
