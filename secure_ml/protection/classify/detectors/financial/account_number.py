"""Bank account numbers: nine to eighteen digits without a check digit, so only the column's name can tell."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[0-9](?:[ -]?[0-9]){8,17}"

DETECTOR = PatternDetector(
    entity=Entity.ACCOUNT_NUMBER,
    category=Category.FINANCIAL,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    context=(
        "(?:bank ?|savings? ?|loan ?|customer ?)?(?:account|acct|acc)",
        "a c",
        "ac ?(?:no|num|number)",
        "account ?(?:no|num|number|nr)",
        "(?:to|from|beneficiary|debit|credit) ?account",
    ),
    not_context=("accounts", "balance", "age", "type", "count", "status", "permanent"),
    needs_context=True,
    text=TextForm(
        # Grouped by single spaces only in the usual fours: no amount beside a date, and no UUID's middle.
        pattern=r"[0-9]{9,18}|[0-9]{3,4}(?:[ -][0-9]{3,4}){2,4}(?!-[0-9A-Fa-f])",
        score=0.4,
        before=("account", "acct", "acc", "a/c", "ac no", "account no", "account number", "bank"),
    ),
)
