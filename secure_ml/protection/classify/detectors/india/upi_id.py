"""UPI ids, payment addresses of India: a name, an at sign, the handle of a bank or app without a dot (NPCI)."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

# Handles in common use of NPCI's published list; of any other the column's name must speak.
_HANDLES = """
abfspay airtel airtelpaymentsbank apl aubank axb axisb axisbank axisgo axl bandhan barodampay boi cboi centralbank
citibank cmsidfc cnrb cub dbs dlb equitas ezeepay federal fam fbl fifederal freecharge hdfcbank hdfcbankjd hsbc ibl
icici idbi idfcbank idfcfirst ikwik indianbank indus indusind iob jio jiopay jkb jupiteraxis karb kbl kotak kotak811
kvb mahb naviaxis nsdl nyes okaxis okhdfcbank okicici oksbi omni oneyes paytm payzapp pingpay pnb postbank psb ptaxes
ptaxis pthdfc ptsbi ptyes pz rapl rbl rmhdfcbank s2b sbi sib slice superyes tapicici timecosmos trans uboi uco
unionbank unionbankofindia upi utbi waaxis wahdfcbank waicici wasbi yapl ybl yes yesbank yescred yespay yespop zoicici
"""
_KNOWN = re.compile(rf".+@(?:{'|'.join(_HANDLES.split())})", re.IGNORECASE)
_NAME = r"[A-Z0-9](?:[A-Z0-9._-]{0,254}[A-Z0-9_])?"
_PATTERN = rf"{_NAME}@[A-Z][A-Z0-9]{{1,63}}"


def has_known_handle(value: str) -> bool:
    """Say whether a bank's or an app's handle stands after the at sign."""
    return bool(_KNOWN.fullmatch(value))


DETECTOR = PatternDetector(
    entity=Entity.UPI_ID,
    category=Category.FINANCIAL,
    identifiability=Identifiability.DIRECT,
    pattern=_PATTERN,
    must_hold="@",
    kinds=frozenset({Kind.TEXT}),
    check=has_known_handle,
    check_all=expressions.whole(_KNOWN),
    context=("upi(?: ?(?:id|addr|address|handle|vpa))?", "vpa", "virtual ?payment ?(?:id|address)"),
    not_context=("count", "amount", "type", "flag", "enabled", "status", "ref", "limit"),
    traces=True,
    text=TextForm(pattern=rf"(?<![._-]){_PATTERN}(?!\.[A-Za-z])", score=0.4),
)
