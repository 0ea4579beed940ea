"""Whether a masked cell has the form that its treatment leaves, whatever stood there before.

Belongs here: the choice of the form's test by treatment. Must stay out: the tests (each beside its treatment).
"""

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy import treatments
from secure_ml.policy.labels import Entity
from secure_ml.policy.treatments import Treatment
from secure_ml.protection.mask.deterministic_encryption import is_encrypted
from secure_ml.protection.mask.format_preserving import is_format_preserved
from secure_ml.protection.mask.generalise_category import is_generalised_category
from secure_ml.protection.mask.generalise_date import is_generalised_date
from secure_ml.protection.mask.generalise_geography import is_generalised_geography
from secure_ml.protection.mask.generalise_number import is_generalised_number
from secure_ml.protection.mask.partial_mask import is_masked
from secure_ml.protection.mask.redact import is_redacted
from secure_ml.protection.mask.surrogate import is_surrogate
from secure_ml.protection.mask.token import is_token
from secure_ml.protection.mask.top_bottom_code import is_top_bottom_coded


def count_untreated(values: pa.Array, treatment: Treatment, entity: Entity = Entity.NONE) -> int:
    """How many present cells the treatment cannot have made; 0 for those whose output may be anything.

    Args:
        values: the masked column.
        treatment: what made it.
        entity: what the column is declared to be.
    """
    made = _made(values, treatment, entity)
    return 0 if made is None else int(pc.sum(pc.invert(made)).as_py() or 0)


def _made(values: pa.Array, treatment: Treatment, entity: Entity) -> pa.Array | None:
    match treatment:
        case treatments.Redact():
            return is_redacted(values)
        case treatments.PartialMask():
            return is_masked(values, treatment)
        case treatments.Token():
            return is_token(values, treatment)
        case treatments.FormatPreserving():
            return is_format_preserved(values, treatment, entity)
        case treatments.DeterministicEncryption():
            return is_encrypted(values)
        case treatments.GeneraliseNumber():
            return is_generalised_number(values, treatment)
        case treatments.GeneraliseDate():
            return is_generalised_date(values, treatment)
        case treatments.GeneraliseGeography():
            return is_generalised_geography(values, treatment)
        case treatments.GeneraliseCategory():
            return is_generalised_category(values, treatment)
        case treatments.TopBottomCode():
            return is_top_bottom_coded(values, treatment)
        case treatments.Surrogate():
            return is_surrogate(values, treatment.kind_for(entity), treatment.locale)
        case _:
            return None
