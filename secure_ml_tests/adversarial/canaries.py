"""The values of the demonstration's people, in every form in which they could come out.

Belongs here: which values, and their forms. Must stay out: the search.

A surname alone is no canary: Das, Urs, Desai or Shah stand in words and in other people's names. A name counts with
both of its parts, in either order and with any of the usual separators. A date of birth, a pin code or an income is
none either, since thousands share it.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from secure_ml_tests.adversarial.search import Texts

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LOANS = PROJECT_ROOT / "data" / "loans"

NAME, EMAIL, PHONE, ADDRESS, AADHAAR, PAN = "name", "email", "phone", "address", "aadhaar", "pan"
ACCOUNT, CUSTOMER, APPLICATION, EMPLOYER, REMARK = "account", "customer", "application", "employer", "remark"

_NUMBERS_IN_TEXT = re.compile(r"\+?[0-9][0-9 -]{8,}[0-9]")
_EMAILS_IN_TEXT = re.compile(r"\S+@\S+\.[a-z]+")

Row = dict[str, str]


def loan_rows(files: Iterable[Path] | None = None) -> list[Row]:
    """The rows of the demonstration's files."""
    rows: list[Row] = []
    for file in sorted(LOANS.glob("*.csv")) if files is None else files:
        with file.open(encoding="utf-8", newline="") as opened:
            rows += csv.DictReader(opened)
    return rows


def canaries(rows: Iterable[Row], *, with_remarks: bool) -> Texts:
    """Every direct identifier of the rows, those that only a remark mentions included.

    Args:
        rows: rows of the loan table.
        with_remarks: whether whole remarks count too; masked keeps those in which nothing was found.
    """
    texts: dict[str, set[str]] = {}
    for row in rows:
        for kind, forms in _of(row):
            texts.setdefault(kind, set()).update(forms)
        if with_remarks and row["officer_remarks"]:
            texts.setdefault(REMARK, set()).add(row["officer_remarks"])
    return Texts(texts)


def _of(row: Row) -> Iterator[tuple[str, set[str]]]:
    yield NAME, _name_forms(row["full_name"])
    yield EMAIL, {text for text in (row["email"], *_EMAILS_IN_TEXT.findall(row["officer_remarks"])) if text}
    yield ADDRESS, _address_forms(row["address"])
    yield PAN, {row["pan"]}
    yield ACCOUNT, {row["account_number"]}
    yield CUSTOMER, {row["customer_id"]}
    yield APPLICATION, {row["application_id"]}
    if row["employer"]:
        yield EMPLOYER, {row["employer"]}
    for written in (row["phone"], row["aadhaar"], *_NUMBERS_IN_TEXT.findall(row["officer_remarks"])):
        digits = re.sub(r"\D", "", written)
        if len(digits) == 12 and not written.startswith("+91"):
            yield AADHAAR, {written, *_grouped(digits, 4, 4, 4)}
        elif len(digits) >= 10:
            yield PHONE, {written, *_grouped(digits[-10:], 5, 5)}


def _name_forms(name: str) -> set[str]:
    given, _, surname = name.partition(" ")
    separators = (" ", "  ", ", ", ",", ".", "_", "+", "\t")
    return {f"{a}{s}{b}" for a, b in ((given, surname), (surname, given)) for s in separators}


def _address_forms(address: str) -> set[str]:
    """The whole, without its commas, and house with street alone."""
    return {address, address.replace(",", ""), address.partition(",")[0]} - {""}


def _grouped(digits: str, *sizes: int) -> set[str]:
    groups, start = [], 0
    for size in sizes:
        groups.append(digits[start : start + size])
        start += size
    return {separator.join(groups) for separator in ("", " ", "-", ".")}
