"""All detectors, one a file, in groups. A new one is a module in its group and a name in ``standard_detectors``."""

from secure_ml.protection.classify.detectors.financial import account_number, card, iban, income
from secure_ml.protection.classify.detectors.generic import (
    date_of_birth,
    email,
    employer,
    ethnicity,
    free_text,
    gender,
    ip_address,
    person_name,
    phone,
    postal_address,
    record_id,
    religion,
    subject_id,
)
from secure_ml.protection.classify.detectors.health import conditions
from secure_ml.protection.classify.detectors.india import aadhaar, gstin, ifsc, pan, pin_code, vehicle_number
from secure_ml.protection.classify.pattern_detector import PatternDetector


def standard_detectors() -> tuple[PatternDetector, ...]:
    """Return every shipped detector; of two equally confident ones the earlier wins."""
    modules = (
        aadhaar, pan, card, iban, email, phone, account_number, ip_address, vehicle_number, person_name, postal_address,
        gstin, ifsc, date_of_birth, pin_code, gender, religion, ethnicity, income, conditions,
        employer, subject_id, record_id, free_text,
    )  # fmt: skip
    return tuple(module.DETECTOR for module in modules)
