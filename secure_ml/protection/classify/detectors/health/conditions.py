"""Health: diagnoses and measurements, by medical terms in the cells or in the column's name."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_TERMS = re.compile(
    r"\b(?:diabet\w*|hypertensi\w*|asthma\w*|cancer\w*|carcinoma\w*|tumou?rs?|malignan\w*|hepatitis|tubercul\w*|hiv|aids"
    r"|pneumonia|influenza|malaria|dengue|typhoid|an[a]?emi[ac]|arthritis|stroke|angina|infarction|epilep\w*|schizophreni\w*"
    r"|depressi\w*|bipolar|dementia|alzheimer\w*|parkinson\w*|migraines?|thyroid\w*|covid\w*|metformin|insulin|aspirin"
    r"|chemotherapy|dialysis|surgery|pregnan\w*|fractures?|disabled|disability|kidney disease"
    r"|heart (?:disease|failure))\b",
    re.IGNORECASE,
)


def holds_medical_term(value: str) -> bool:
    """Say whether a medical term stands in the value."""
    return bool(_TERMS.search(value))


DETECTOR = PatternDetector(
    entity=Entity.HEALTH,
    category=Category.HEALTH,
    identifiability=Identifiability.QUASI,
    pattern=r"[^\n]+",
    longest=200,
    kinds=frozenset({Kind.TEXT, Kind.NUMBER, Kind.FLAG}),
    check=holds_medical_term,
    check_all=expressions.within(_TERMS),
    context=(
        "health",
        "medical",
        "diagnos[ie]s",
        "disease",
        "icd(?: ?(?:9|10|11))?",
        "illness",
        "symptoms?",
        "medications?",
        "prescriptions?",
        "drugs?",
        "allerg(?:y|ies)",
        "blood",
        "(?:trest)?bps?",
        "(?:systolic|diastolic) ?.*",
        "chol(?:esterol)?",
        "glucose",
        "insulin",
        "hb ?a ?1 ?c",
        "bmi",
        "hiv",
        "diabet(?:es|ic)",
        "hypertension",
        "cancer",
        "tumou?r",
        "smok(?:er|ing)",
        "pregnan(?:t|cy|cies)",
        "disab(?:led|ility)",
        "thal(?:ach|ach?h)?",
        "(?:rest)?ecg",
        "heart ?(?:rate|disease|failure)",
    ),
    not_context=("insurance", "premium", "status code", "check", "service", "blood relation", "version"),
    alone_share=0.3,
    ceiling_alone=0.9,
)
