"""SWIFT codes of banks (BIC, ISO 9362): four letters of the bank, the country, two or five characters of the place.

Many words of eight letters have the shape and a country in the middle, so the column's name, or a word
before, must say it.
"""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

# ISO 3166-1, and XK for Kosovo.
_COUNTRY = (
    r"(?:A[DEFGILMOQRSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNORUVWXYZ]|D[EJKMOZ]|E[CEGHRST]|F[IJKMOR]"
    r"|G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]|M[ACDEFGHKLMNOPQRSTUVWXYZ]"
    r"|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|R[EOSUW]|S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|U[AGMSYZ]|V[ACEGINU]"
    r"|W[FS]|XK|Y[ET]|Z[AMW])"
)
_PATTERN = rf"[A-Z]{{4}}{_COUNTRY}[A-Z0-9]{{2}}(?:[A-Z0-9]{{3}})?"

DETECTOR = PatternDetector(
    entity=Entity.SWIFT_BIC,
    category=Category.FINANCIAL,
    identifiability=Identifiability.QUASI,
    pattern=_PATTERN,
    longest=11,
    kinds=frozenset({Kind.TEXT}),
    context=(
        "swift(?: ?(?:bic|code|no|number|address))*",
        "bic(?: ?(?:code|no|number|swift))*",
        "bank identifier code",
    ),
    not_context=("status", "type", "count", "release", "version", "flag"),
    needs_context=True,
    text=TextForm(pattern=_PATTERN, case_sensitive=True, before=("swift", "bic", "swift code", "bic code")),
)
