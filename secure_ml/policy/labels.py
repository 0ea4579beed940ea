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
    PIN_CODE = "pin_code"
    DATE_OF_BIRTH = "date_of_birth"
    GENDER = "gender"
    RELIGION = "religion"
    ETHNICITY = "ethnicity"
    AADHAAR = "aadhaar"
    PAN = "pan"
    GSTIN = "gstin"
    IFSC = "ifsc"
    ACCOUNT_NUMBER = "account_number"
    CARD = "card"
    IBAN = "iban"
    IP_ADDRESS = "ip_address"
    VEHICLE_NUMBER = "vehicle_number"
    INCOME = "income"
    EMPLOYER = "employer"
    HEALTH = "health"
    FREE_TEXT = "free_text"
