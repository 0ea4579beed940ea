"""All detectors, one a file. A new one is a module here and a line in ``standard_detectors``."""

from secure_ml.protection.classify.detectors import (
    aadhaar,
    account_number,
    card,
    date_of_birth,
    email,
    employer,
    ethnicity,
    free_text,
    gender,
    gstin,
    health,
    iban,
    ifsc,
    income,
    ip_address,
    pan,
    person_name,
    phone,
    pin_code,
    postal_address,
    record_id,
    religion,
    subject_id,
    vehicle_number,
)
from secure_ml.protection.classify.pattern_detector import PatternDetector


def standard_detectors() -> tuple[PatternDetector, ...]:
    """Return every shipped detector; of two equally confident ones the earlier wins."""
    modules = (
        aadhaar, pan, card, iban, email, phone, account_number, ip_address, vehicle_number, person_name, postal_address,
        gstin, ifsc, date_of_birth, pin_code, gender, religion, ethnicity, income, health,
        employer, subject_id, record_id, free_text,
    )  # fmt: skip
    return tuple(module.DETECTOR for module in modules)
