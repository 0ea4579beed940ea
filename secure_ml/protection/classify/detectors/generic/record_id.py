"""Keys of a record (an application, a transaction): a name that says id, and a value of its own in nearly every row."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.name_detector import NameDetector

DETECTOR = NameDetector(
    entity=Entity.RECORD_ID,
    category=Category.INTERNAL,
    identifiability=Identifiability.PSEUDONYM,
    pattern=r"[A-Z0-9][A-Z0-9_/.-]{0,63}",
    context=(
        "id",
        "uuid",
        "guid",
        "key",
        "(?:application|loan|case|record|transaction|txn|order|invoice|claim|visit|encounter|row|reference|ref)"
        " ?(?:id|no|num|number|key|ref)",
        # Numbers of things, which may look like somebody's telephone number.
        "(?:product|item|article|part|batch|lot|serial|tracking|shipment|ticket|asset|receipt|bill|voucher)"
        " ?(?:id|no|num|number|key|ref|code)",
        "sku",
        "barcode",
    ),
    needs_context=True,
    minimum_distinct_share=0.9,
)
