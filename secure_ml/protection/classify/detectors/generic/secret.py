"""Secrets: API keys of well-known issuers, private keys, JSON Web Tokens; what stands under a name that says secret.

They are direct: whoever reads one can act as the person or service that it belongs to.
"""

import base64
import binascii
import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

# As the issuers document them, and gitleaks and detect-secrets collect them: a prefix of their own and a length.
# Without one a token cannot be told from a hash.
_ISSUED = (
    r"A(?:[KS]I|BI|CC)A[A-Z2-7]{16}"  # AWS access key id
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{82}"
    r"|gl(?:pat|dt|ft|soat|rt|ptt)-[A-Za-z0-9_-]{20,250}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,250}"  # Slack
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}"  # Stripe
    r"|AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}"  # Google
    r"|sk-[A-Za-z0-9_-]{10,200}T3BlbkFJ[A-Za-z0-9_-]{10,200}|sk-ant-[A-Za-z0-9_-]{80,250}"  # OpenAI, Anthropic
    r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"  # SendGrid
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,250}|hf_[A-Za-z0-9]{34}|do[opr]_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}(?:-[0-9])?"
    r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"  # Shopify
    r"|hv[sb]\.[A-Za-z0-9_-]{24,250}"  # HashiCorp Vault
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"  # Telegram bot
)
_JWT = r"eyJ[A-Za-z0-9_-]{8,400}\.[A-Za-z0-9_-]{2,1000}\.[A-Za-z0-9_-]{0,800}"
_PRIVATE_KEY = r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY = re.compile(_ISSUED)
_BEGINS_PRIVATE_KEY = re.compile(f"^{_PRIVATE_KEY}")


def is_known_secret(value: str) -> bool:
    """Say whether it is a known issuer's key, begins as a private key, or is a JSON Web Token (RFC 7519)."""
    if value.startswith("eyJ"):
        return _has_json_header(value)
    return bool(_KEY.fullmatch(value) or _BEGINS_PRIVATE_KEY.search(value))


def are_known_secrets(values: Any) -> npt.NDArray[np.bool_]:
    """Say the same of every string of an Arrow array."""
    tokens: npt.NDArray[np.bool_] = pc.starts_with(values, "eyJ").to_numpy(zero_copy_only=False)
    keys = expressions.whole(_KEY)(values) | expressions.within(_BEGINS_PRIVATE_KEY)(values)
    return (keys & ~tokens) | expressions.passing(values, tokens, _has_json_header)


def _has_json_header(value: str) -> bool:
    head = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, UnicodeDecodeError, json.JSONDecodeError):
        return False
    return value.count(".") >= 2 and isinstance(header, dict) and ("alg" in header or "enc" in header)


DETECTOR = PatternDetector(
    entity=Entity.SECRET,
    category=Category.PII,
    identifiability=Identifiability.DIRECT,
    pattern=r"\S{8,}|-----BEGIN .+",
    longest=16_384,
    kinds=frozenset({Kind.TEXT}),
    check=is_known_secret,
    check_all=are_known_secrets,
    context=(
        "(?:api|access|secret|private|encryption|signing|ssh) ?keys?",
        "secrets?",
        "(?:auth|access|refresh|bearer|session|api|csrf|device)? ?tokens?",
        "jwt",
        "pass ?(?:word|wd|phrase|code)s?",
        "pwd",
        "credentials?",
    ),
    not_context=(
        "date", "at", "on", "age", "type", "count", "counts", "expir(?:y|es|ed|ation)", "changed", "reset", "updated",
        "created", "policy", "strength", "hint", "flag", "status", "id", "ids", "name", "length", "limit", "number",
        "no", "usage", "used", "url",
    ),
    context_share=0.5,
    alone_share=0.05,
    traces=True,
    text=TextForm(pattern=rf"{_ISSUED}|{_JWT}|{_PRIVATE_KEY}", case_sensitive=True),
)  # fmt: skip
