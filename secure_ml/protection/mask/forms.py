"""Whether a masked cell has the form that its treatment leaves, whatever stood there before.

Belongs here: the choice of the form's test by treatment. Must stay out: the tests (each beside its treatment).
"""

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy import treatments
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.mask.generalise_date import is_generalised_date
from secure_ml.protection.mask.generalise_geography import is_generalised_geography
from secure_ml.protection.mask.generalise_number import is_generalised_number
from secure_ml.protection.mask.partial_mask import is_masked
from secure_ml.protection.mask.redact import is_redacted
from secure_ml.protection.mask.token import is_token


def count_untreated(values: pa.Array, treatment: Treatment) -> int:
    """How many present cells the treatment cannot have made; 0 for those whose output may be anything."""
    made = _made(values, treatment)
    return 0 if made is None else int(pc.sum(pc.invert(made)).as_py() or 0)


def _made(values: pa.Array, treatment: Treatment) -> pa.Array | None:
    match treatment:
        case treatments.Redact():
            return is_redacted(values)
        case treatments.PartialMask():
            return is_masked(values, treatment)
        case treatments.Token():
            return is_token(values)
        case treatments.GeneraliseNumber():
            return is_generalised_number(values, treatment)
        case treatments.GeneraliseDate():
            return is_generalised_date(values, treatment)
        case treatments.GeneraliseGeography():
            return is_generalised_geography(values, treatment)
        case _:
            return None
