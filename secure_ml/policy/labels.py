"""The vocabulary of sensitivity: what a column is about and how far it points to a person.

Belongs here: the closed word lists that policies, detectors, labels and keys share. Must stay out: how labels join.
"""

from enum import StrEnum


class Category(StrEnum):
    """Kind of sensitive data; each has encryption keys of its own."""

    INTERNAL = "internal"
    FINANCIAL = "financial"
    HEALTH = "health"
    PII = "pii"


class Identifiability(StrEnum):
    """How far a value points to one person, weakest first."""

    NONE = "none"
    QUASI = "quasi"
    PSEUDONYM = "pseudonym"
    DIRECT = "direct"

    @property
    def rank(self) -> int:
        """Its place among the levels, 0 for the weakest."""
        return list(Identifiability).index(self)


class Entity(StrEnum):
    """What a value is, as detectors find it and policies declare it."""

    NONE = "none"
    SUBJECT_ID = "subject_id"
    RECORD_ID = "record_id"
    PERSON_NAME = "person_name"
    EMAIL = "email"
    PHONE = "phone"
    POSTAL_ADDRESS = "postal_address"
    PLACE = "place"
    GEO_COORDINATES = "geo_coordinates"
    PIN_CODE = "pin_code"
    DATE_OF_BIRTH = "date_of_birth"
    GENDER = "gender"
    RELIGION = "religion"
    ETHNICITY = "ethnicity"
    URL = "url"
    IP_ADDRESS = "ip_address"
    MAC_ADDRESS = "mac_address"
    SECRET = "secret"  # noqa: S105 - the name of a kind, no secret
    PASSPORT = "passport"
    DRIVING_LICENCE = "driving_licence"
    AADHAAR = "aadhaar"
    AADHAAR_VIRTUAL_ID = "aadhaar_virtual_id"
    PAN = "pan"
    GSTIN = "gstin"
    VOTER_ID = "voter_id"
    VEHICLE_NUMBER = "vehicle_number"
    IFSC = "ifsc"
    UPI_ID = "upi_id"
    ABHA_NUMBER = "abha_number"
    ACCOUNT_NUMBER = "account_number"
    CARD = "card"
    IBAN = "iban"
    SWIFT_BIC = "swift_bic"
    ROUTING_NUMBER = "routing_number"
    SSN = "ssn"
    ITIN = "itin"
    NPI = "npi"
    NHS_NUMBER = "nhs_number"
    MEDICAL_RECORD_NUMBER = "medical_record_number"
    ICD_CODE = "icd_code"
    INCOME = "income"
    EMPLOYER = "employer"
    HEALTH = "health"
    FREE_TEXT = "free_text"
