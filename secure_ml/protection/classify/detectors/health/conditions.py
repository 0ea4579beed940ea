"""Health: diagnoses and measurements, by medical terms in the cells or in the column's name."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector

_TERMS = re.compile(
    r"(?i)\b(?:diabet\w*|hypertensi\w*|asthma\w*|cancer\w*|carcinoma\w*|tumou?rs?|malignan\w*|hepatitis|tubercul\w*|hiv|aids"
    r"|pneumonia|influenza|malaria|dengue|typhoid|an[a]?emi[ac]|arthritis|stroke|angina|infarction|epilep\w*|schizophreni\w*"
    r"|depressi\w*|bipolar|dementia|alzheimer\w*|parkinson\w*|migraines?|thyroid\w*|covid\w*|metformin|insulin|aspirin"
    r"|chemotherapy|dialysis|surgery|pregnan\w*|fractures?|disabled|disability|kidney disease|heart (?:disease|failure)"
    r"|[A-TV-Z][0-9]{2}\.[0-9]{1,2}[A-Z]?)\b"
)


def holds_medical_term(value: str) -> bool:
    """Say whether a medical term or an ICD-10 code with its decimal stands in the value."""
    return bool(_TERMS.search(value))


DETECTOR = PatternDetector(
    entity=Entity.HEALTH,
    category=Category.HEALTH,
    identifiability=Identifiability.QUASI,
    pattern=r"[^\n]+",
    longest=200,
    kinds=frozenset({Kind.TEXT, Kind.NUMBER, Kind.FLAG}),
    check=holds_medical_term,
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
        "hba1c",
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
    not_context=("insurance", "premium", "status code", "check", "service", "blood relation"),
    alone_share=0.3,
    ceiling_alone=0.9,
)
