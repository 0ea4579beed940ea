"""What officers write in the free-text field, some of it about the person.

Belongs here: sentences, and the clauses that carry a phone number, an Aadhaar, an e-mail address or a name. Must stay
out: columns with a form of their own.
"""

import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.recipes.loans.draws import Draws
from secure_ml.recipes.loans.identifiers import Identifiers, phone_numbers
from secure_ml.recipes.loans.people import People
from secure_ml.recipes.loans.text import Text, choose, choose_by, from_codes, join, look_up, whole

IDENTIFYING_SHARE = 0.20
"""Share of the applications whose remark names or reaches the person."""

EMPTY_SHARE = 0.22
"""Share of the applications without any remark."""

_OPENINGS = (
    "Documents complete",
    "Salary slips seen",
    "Branch visit done",
    "Income proof awaited",
    "Walk-in applicant",
    "Referred by branch",
    "Bank statement of six months seen",
    "Address verified",
    "Repeat enquiry",
    "Existing deposit holder",
    "Tax return on file",
    "Applied through the mobile app",
    "Co-applicant proposed",
    "Employer verified",
    "Bureau report pulled",
    "Collateral not offered",
)
_CLOSINGS = (
    "no adverse remarks",
    "wants early disbursal",
    "purpose is home repair",
    "purpose is a wedding",
    "purpose is school fees",
    "purpose is a two-wheeler",
    "to be reviewed in two days",
    "prefers the 5th as due date",
    "stable residence",
    "rent agreement pending",
    "asked about prepayment",
    "cheque book requested",
    "explained the interest rate",
    "insurance declined",
    "insurance accepted",
    "medical expense in family",
    "shop stock financed",
    "second visit planned",
)
_PHONE_CLAUSES = ("Call on ", "Alternate number ", "Spouse reachable at ", "Guarantor's mobile ", "WhatsApp ")
_AADHAAR_CLAUSES = ("Aadhaar ", "UID verified, no. ", "KYC by Aadhaar ", "Copy of Aadhaar card ")
_EMAIL_CLAUSES = ("Statement sent to ", "Write to ", "E-mail is ", "Mailed offer to ")
_NAME_CLAUSES = ("Spoke to ", "Met ", "Explained terms to ", "Application signed by ")


def write_remarks(people: People, identifiers: Identifiers, draws: Draws) -> Text:
    """Compose one remark an application; missing where the officer wrote nothing."""
    plain = join(_one_of(draws, "opening", _OPENINGS), ", ", _one_of(draws, "closing", _CLOSINGS))
    clause = _identifying_clause(people, identifiers, draws)
    clause_first = join(clause, "; ", pc.utf8_lower(plain))
    identifying = choose(draws.chance("clause first", 0.5), clause_first, join(plain, ". ", clause))
    share = draws.uniform("remark")
    remark = choose(share < IDENTIFYING_SHARE, identifying, plain)
    return choose(share >= 1.0 - EMPTY_SHARE, None, remark)


def _one_of(draws: Draws, name: str, sentences: tuple[str, ...]) -> Text:
    return look_up(sentences, draws.integers(name, 0, len(sentences)))


def _identifying_clause(people: People, identifiers: Identifiers, draws: Draws) -> Text:
    relative = whole(phone_numbers(people.draws, "relative's phone"))
    phone = choose(draws.chance("own phone", 0.6), whole(identifiers.phone), relative)
    return choose_by(
        draws.pick("clause", [0.40, 0.22, 0.18, 0.20]),
        join(_one_of(draws, "phone clause", _PHONE_CLAUSES), phone),
        join(_one_of(draws, "aadhaar clause", _AADHAAR_CLAUSES), _spelled_aadhaar(identifiers, draws)),
        join(_one_of(draws, "email clause", _EMAIL_CLAUSES), identifiers.email),
        join(_one_of(draws, "name clause", _NAME_CLAUSES), people.full_name),
    )


def _spelled_aadhaar(identifiers: Identifiers, draws: Draws) -> Text:
    plain = from_codes(identifiers.aadhaar + ord("0"))
    return choose(draws.chance("aadhaar in groups", 0.5), spell_in_groups(plain, " "), plain)


def spell_in_groups(number: Text, separator: str) -> Text:
    """Twelve digits as three groups of four."""
    groups = [pc.utf8_slice_codeunits(number, start, start + 4) for start in (0, 4, 8)]
    return pc.binary_join_element_wise(*groups, pa.scalar(separator))
