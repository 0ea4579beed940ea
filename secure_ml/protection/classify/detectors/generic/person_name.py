"""Names of people: one to five words of letters under a name that says so, or with frequent given and family names."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

# Frequent Indian and Western given and family names that are no other word of a form or a product.
_FREQUENT_NAMES = """
aarav aditi aditya agarwal aggarwal ahmed ajay akash ali alice amit anand ananya anderson andrew anil anita anjali
ankit anna arjun arun asha ashok banerjee barbara bhat bhatt bose brian brown carlos charles chatterjee chaudhary
chauhan chopra christopher daniel das david davis deepa deepak desai deshmukh devi dinesh divya donald dubey dutta
edward elizabeth emily emma farhan fatima fernandes garcia gaurav geeta george ghosh gonzalez gopal gupta harish
hernandez iyengar iyer jain james jaya jennifer jessica jha johnson jones joseph joshi kapoor karen kaur kavita
kevin khan kiran kishore krishna krishnan kulkarni kumar kumari lakshmi laura linda lopez mahesh malhotra manish
manoj maria martinez mary matthew meena meera mehta menon michael miller mishra mohammed mohan moore mukherjee naidu
nair nancy neha nikhil nisha olivia patel patil patricia paul peter pillai pooja prakash pranav prasad priya rahul
raj rajesh rakesh ramesh rani rao ravi reddy rekha richard robert rodriguez rohan rohit roy sandeep sanjay santosh
sarah saxena sen shah shalini sharma shetty shreya shukla singh sinha sita smith sneha sonia sophia srinivasan
steven sunil sunita suresh susan swati taylor thakur thomas thompson tiwari trivedi usha varma venkatesh verma vijay
vikas vikram vinod vivek william williams wilson yadav
"""
_WORD = r"[A-Z](?:\.|(?:[A-Za-z'" "\u2019" r".-]{0,29}[a-zA-Z])?)"
# A part of a name in any script: what is no digit, no space and no sign.
_PART = r"[^\s0-9,@#$%&*_=+<>|\\^~()/:;?!\"]+"
_TITLE = r"(?:Mr|Mrs|Ms|Miss|Dr|Prof|Shri|Smt|Sri|Kumari|Late)\.?"


_FREQUENT = re.compile(rf"(?:^|[^a-z])(?:{'|'.join(_FREQUENT_NAMES.split())})(?:$|[^a-z])", re.IGNORECASE)
_TITLED = re.compile(rf"^{_TITLE} {_WORD}")


def holds_frequent_name(value: str) -> bool:
    """Say whether a frequent given or family name, or a title before a name, stands in the value."""
    return bool(_FREQUENT.search(value) or _TITLED.search(value))


def hold_frequent_names(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    return expressions.within(_FREQUENT)(values) | expressions.within(_TITLED)(values)


DETECTOR = PatternDetector(
    entity=Entity.PERSON_NAME,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=rf"{_PART}(?:,? +{_PART}){{0,4}}",
    longest=80,
    kinds=frozenset({Kind.TEXT}),
    check=holds_frequent_name,
    check_all=hold_frequent_names,
    context=(
        "name",
        "(?:full|first|middle|last|family|given|maiden|applicant|customer|client|patient|borrower|holder) ?name",
        "[fl]name",
        "surname",
        "forename",
        "customer",
        "borrower",
        "applicant",
        "nominee",
        "guarantor",
        "patient",
        "(?:father|mother|spouse|husband|wife)s?",
    ),
    # What else has a name; whether people's names stand in the cells, those tell.
    not_context=(
        "age", "area", "asset", "bank", "branch", "brand", "campaign", "category", "city", "class", "college", "column",
        "company", "count", "country", "course", "department|dept", "device", "district", "domain", "drug|medicine",
        "education", "employer", "event", "feature", "field", "file", "flag", "group", "hospital", "host", "hotel",
        "institute|institution", "item", "job", "length", "match", "merchant", "metric", "model", "occupation",
        "organi[sz]ation|org", "plan", "policy", "procedure", "product", "program(?:me)?", "project", "region", "role",
        "route", "rule", "scheme", "school", "segment", "server", "service", "sheet", "shop", "similarity", "stage",
        "state", "station", "status", "store", "table", "tax", "team", "template", "test", "type", "university",
        "vendor", "verified", "ward", "zone",
    ),
    context_share=0.5,
    alone_share=0.25,
    # Fewer are as often brands, films and gods.
    alone_distinct=5,
    ceiling_alone=0.85,
)  # fmt: skip
