"""Learning algorithms behind one small port, one a file.

Belongs here: an estimator and the model it makes. Must stay out: choosing data, charging budgets, judging models.
"""
