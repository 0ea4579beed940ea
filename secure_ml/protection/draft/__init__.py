"""A first policy for a table that nobody has described yet.

Belongs here: what can be told from the table itself, and the words that hand the rest to the steward. Must stay out:
training, and any number or text in the draft that fewer than twenty people hold.
"""

from secure_ml.protection.draft.draft import check_name, draft_policy
from secure_ml.protection.draft.errors import DraftError, PolicyExists
from secure_ml.protection.draft.steward import Draft, DraftedColumn
from secure_ml.protection.draft.write import write_draft

__all__ = ["Draft", "DraftError", "DraftedColumn", "PolicyExists", "check_name", "draft_policy", "write_draft"]
