"""Addresses on the web (RFC 3986): with a scheme or `www.`; a bare host only under a name that says link.

They are personal: a profile's address holds its person's name, and a query may hold a session's key.
"""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_START = r"(?:https?|ftps?|sftp|wss?)://|www\."
_BEGINS = re.compile(rf"^(?:{_START})[^ \t\n./?#]", re.IGNORECASE)

_BARE = r"(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}(?:[:/?#]\S*)?"


def has_scheme(value: str) -> bool:
    """Say whether the value begins as addresses on the web do and names a host."""
    return bool(_BEGINS.search(value))


DETECTOR = PatternDetector(
    entity=Entity.URL,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=rf"(?:{_START})\S+|{_BARE}",
    longest=4096,
    must_hold=".",
    kinds=frozenset({Kind.TEXT}),
    check=has_scheme,
    check_all=expressions.within(_BEGINS),
    context=(
        "urls?",
        "uri",
        "links?",
        "web ?(?:site|page|address)",
        "home ?page",
        "href",
        "linked ?in",
        "profile link",
    ),
    not_context=("count", "type", "id", "clicks", "flag", "status"),
    context_share=0.5,
    alone_share=0.3,
    ceiling_alone=0.9,
    text=TextForm(
        # Below certainty: a link in a remark is masked, but a text with links is not therefore one about people.
        pattern=rf"(?:{_START})[^\s<>\"]{{0,2000}}[^\s<>\".,;:!?)\]']",
        score=0.5,
        validated_score=0.5,
    ),
)
