"""All detectors, one a file, in groups. A new one is a module in its group and a name in ``standard_detectors``."""

from secure_ml.protection.classify.detectors.europe import nhs_number
from secure_ml.protection.classify.detectors.financial import account_number, card, iban, income, swift_bic
from secure_ml.protection.classify.detectors.generic import (
    date_of_birth,
    driving_licence,
    email,
    employer,
    ethnicity,
    free_text,
    gender,
    geo_coordinates,
    ip_address,
    mac_address,
    passport,
    person_name,
    phone,
    place,
    postal_address,
    record_id,
    religion,
    secret,
    subject_id,
    url,
)
from secure_ml.protection.classify.detectors.health import conditions, icd_code, medical_record_number, npi
from secure_ml.protection.classify.detectors.india import (
    aadhaar,
    aadhaar_virtual_id,
    abha_number,
    gstin,
    ifsc,
    pan,
    pin_code,
    upi_id,
    vehicle_number,
    voter_id,
)
from secure_ml.protection.classify.detectors.united_states import itin, routing_number, ssn
from secure_ml.protection.classify.pattern_detector import PatternDetector


def standard_detectors() -> tuple[PatternDetector, ...]:
    """Return every shipped detector; of two equally confident ones the earlier wins.

    Those that a shape or a check digit proves come first, those that the column's name alone tells after them, and
    those that any value fits last.
    """
    modules = (
        aadhaar, pan, card, iban, aadhaar_virtual_id, secret, email, abha_number, upi_id, ssn, itin, nhs_number, npi,
        voter_id, driving_licence, passport, medical_record_number, mac_address, ip_address, url, phone, account_number,
        vehicle_number, geo_coordinates, person_name, postal_address,
        gstin, ifsc, swift_bic, routing_number, date_of_birth, pin_code, gender, religion, ethnicity, income, icd_code,
        conditions, place, employer, subject_id, record_id, free_text,
    )  # fmt: skip
    return tuple(module.DETECTOR for module in modules)
