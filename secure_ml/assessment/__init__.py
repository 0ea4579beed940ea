"""What a trained model is worth and to whom it is unfair, as aggregates under disclosure control.

Belongs here: performance, temporal backtest, fairness, explanation, the gates over them, their record and figures.
Must stay out: fitting a model, opening data, and any figure that one person could be read from.
"""
