"""IFSC, the code of an Indian bank branch: four letters of the bank, a zero, six characters of the branch (RBI)."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.bank_codes import bank_codes
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_PATTERN = r"[A-Z]{4}0[A-Z0-9]{6}"
_BANKS = bank_codes()


def is_of_a_bank(value: str) -> bool:
    """Say whether it begins with a bank's code: tags of things have any four letters before a zero."""
    return value[:4].upper() in _BANKS


def are_of_banks(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    begins = pc.utf8_upper(pc.utf8_slice_codeunits(values, 0, 4))
    banks: npt.NDArray[np.bool_] = pc.is_in(begins, pa.array(_BANKS, begins.type)).to_numpy(zero_copy_only=False)
    return banks


DETECTOR = PatternDetector(
    entity=Entity.IFSC,
    category=Category.FINANCIAL,
    identifiability=Identifiability.QUASI,
    pattern=_PATTERN,
    check=is_of_a_bank,
    check_all=are_of_banks,
    context=("ifsc", "ifsc ?code", "branch code"),
    alone_share=0.3,
    ceiling_alone=0.85,
    text=TextForm(pattern=_PATTERN, case_sensitive=True, score=0.4, before=("ifsc", "ifsc code")),
)
