"""UPI ids, payment addresses of India: a name, an at sign, the handle of a bank or app without a dot (NPCI)."""

import re

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify import expressions
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

# Handles of banks and apps that public lists agree on, also those that are no longer given out; of any other the
# column's name must speak. Left out are words that name machines as often, such as "db" and "united".
_HANDLES = """
abfspay airtel airtelpaymentsbank allbank andb apl aubank axb axisb axisbank axisgo axl bandhan barodampay barodapay
bhim bob boi bombob bpaywallet bpunity canara cbin cboi centralbank citi citibank citigold cmsidfc cnrb cosb csbpay
cub dbs dcb dlb dnsbank equitas equitasbank esaf ezeepay fam fbl federal fifederal fincarebank finobank fkaxis
freecharge freoicici goaxb gwaxis hdfc hdfcbank hdfcbankjd hsbc hsbcbank ibl icici idbi idfc idfcbank idfcfirst ikwik
imobile indianbank indianbk indus indusind inhdfc iob janabank jarunity jio jiopay jkb jsb jupiteraxis karb kaypay
kbaxis kbl kkbk kotak kotak811 kphdfc kvb lxaxis mahabank mahb maxaxis mbk mbkns mboi mvhdfc naviaxis niyoicici niyox
nsdl nye nyes obc okaxis okbizaxis okhdfcbank okicici oksbi omni oneyes paytm paytmwallet payworld payzapp phonepe
pinelabs pingpay pnb pnyes pockets postbank psb psbank ptaxes ptaxis pthdfc ptsbi ptyes pz pzh pzw rapl ratn razorpay
rbl rmhdfcbank rmrbl s2b sbi sbmbank scb seyes shriramhdfcbank sib slc slice sliceaxis slicepay spicepay srcb superyes
suryoday synb tapicici tbl timecosmos tjsb tmb topay trans ubi uboi uco ujjivan unionbank unionbankofindia unitypay
upi utbi utkarshbank vijb waaxis wahdfcbank waicici wasbi yapl ybl yes yesbank yesbankltd yescred yesfam yesg yesgo
yespay yespop yestp zoicici ztrbl
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
