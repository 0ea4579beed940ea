"""Loan applications of invented people at an Indian bank: the table of the shipped project `loan_approval`.

Belongs here: people, identifiers, finances, decisions, and what is planted in them, all of it described in
data/README.md. Must stay out: policies and anything that protects the table.
"""

from secure_ml.recipes.loans.errors import RecipeError
from secure_ml.recipes.loans.files import write_loans
from secure_ml.recipes.loans.table import COLUMNS, SCHEMA, generate_loans

__all__ = ["COLUMNS", "SCHEMA", "RecipeError", "generate_loans", "write_loans"]
