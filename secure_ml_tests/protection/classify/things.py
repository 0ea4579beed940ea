"""Columns of ordinary business tables that resemble identifiers of people and are none."""

import datetime
import hashlib
import random
import uuid
from collections.abc import Callable

from secure_ml_tests.protection.classify.people import column_of, digits, letters


def _at(source: random.Random) -> datetime.datetime:
    return datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=source.randint(0, 10**7))


def _hash(source: random.Random) -> str:
    return hashlib.sha256(digits(source, 20).encode()).hexdigest()


def _with_check_digit(body: str, weights: tuple[int, ...], modulus: int) -> str:
    total = sum(int(digit) * weights[index % len(weights)] for index, digit in enumerate(body))
    return body + "0123456789X"[-total % modulus]


def _imei(source: random.Random) -> str:
    from stdnum import luhn

    body = source.choice(("35", "86", "01")) + digits(source, 12)
    return body + luhn.calc_check_digit(body)


MAKERS: dict[str, Callable[[random.Random], str]] = {
    "number of 9 digits": lambda s: str(s.randint(10**8, 10**9 - 1)),
    "number of 10 digits": lambda s: str(s.randint(10**9, 10**10 - 1)),
    "number of 10 digits from 6 to 9": lambda s: s.choice("6789") + digits(s, 9),
    "number of 11 digits": lambda s: str(s.randint(10**10, 10**11 - 1)),
    "number of 12 digits": lambda s: str(s.randint(10**11, 10**12 - 1)),
    "number of 14 digits": lambda s: str(s.randint(10**13, 10**14 - 1)),
    "number of 15 digits": lambda s: str(s.randint(10**14, 10**15 - 1)),
    "number of 16 digits from 4": lambda s: str(s.randint(4 * 10**15, 5 * 10**15 - 1)),
    "number with leading zeros": lambda s: f"{s.randint(1, 10**6):014d}",
    "seconds since 1970": lambda s: str(s.randint(1_500_000_000, 1_700_000_000)),
    "ISBN-10": lambda s: _with_check_digit(s.choice("0137946") + digits(s, 8), tuple(range(10, 1, -1)), 11),
    "EAN-13": lambda s: _with_check_digit(s.choice("45890") + digits(s, 11), (1, 3), 10),
    "IMEI": _imei,
    "colour": lambda s: f"#{s.randint(0, 2**24 - 1):06x}",
    "SHA-256": _hash,
    "twelve hexadecimal digits": lambda s: _hash(s)[:12],
    "UUID": lambda s: str(uuid.UUID(int=s.getrandbits(128))),
    "version of three": lambda s: f"{s.randint(0, 20)}.{s.randint(0, 20)}.{s.randint(0, 99)}",
    "version of four": lambda s: f"{s.randint(0, 9)}.{s.randint(0, 20)}.{s.randint(0, 99)}.{s.randint(0, 200)}",
    "version of four up to 30": lambda s: ".".join(str(s.randint(0, 30)) for _ in range(4)),
    "section of four": lambda s: f"{s.randint(10, 20)}.{s.randint(1, 9)}.{s.randint(1, 9)}.{s.randint(1, 9)}",
    "build": lambda s: f"10.0.{s.randint(10_000, 22_000)}.{s.randint(0, 2_000)}",
    "browser": lambda s: f"Chrome/{s.randint(90, 120)}.0.{s.randint(4000, 6200)}.{s.randint(10, 200)}",
    "release": lambda s: f"V{s.randint(10, 19)}.{s.randint(0, 9)}",
    "seat": lambda s: f"{s.choice('ABCDEF')}{s.randint(10, 40)}",
    "bolt": lambda s: s.choice(("M10", "M12", "M16", "M20", "M24", "M30", "M36")),
    "shelf": lambda s: f"{s.choice('ABCD')}{s.randint(10, 99)}.{s.randint(0, 9)}",
    "batch": lambda s: f"{letters(s, 1)}{s.randint(10, 99)}.{s.randint(100, 999)}",
    "part of 3-2-4 digits": lambda s: f"{s.randint(0, 999):03d}-{s.randint(0, 99):02d}-{s.randint(0, 9999):04d}",
    "part of 3 letters and 7 digits": lambda s: letters(s, 3) + digits(s, 7),
    "tag of 4 letters and 7 digits from 0": lambda s: f"{letters(s, 4)}0{digits(s, 6)}",
    "part of the shape of a PAN": lambda s: letters(s, 5) + digits(s, 4) + letters(s, 1),
    "order of 3-7-7 digits": lambda s: f"{s.randint(100, 999)}-{digits(s, 7)}-{digits(s, 7)}",
    "order of 3-3-4 digits": lambda s: f"{s.randint(100, 999)}-{s.randint(100, 999)}-{digits(s, 4)}",
    "order of 4-4-4 digits": lambda s: f"{s.randint(1000, 9999)}-{digits(s, 4)}-{digits(s, 4)}",
    "ledger account": lambda s: f"{s.randint(1000, 9999)}-{digits(s, 3)}-{digits(s, 3)}",
    "tariff": lambda s: f"{s.randint(1000, 9999)}.{digits(s, 2)}.{digits(s, 2)}",
    "eight capitals": lambda s: s.choice(("CUSTOMER", "BASELINE", "INTERNAL", "APPROVED", "ESCALATE", "DOCUMENT")),
    "amount": lambda s: f"{s.uniform(0, 1000):.2f}",
    "rate": lambda s: f"{s.random():.6f}",
    "two prices": lambda s: f"{s.uniform(0, 80):.2f}, {s.uniform(0, 100):.2f}",
    "two measurements": lambda s: f"{s.uniform(0, 80):.3f},{s.uniform(0, 100):.3f}",
    "two shares": lambda s: f"{s.random():.5f}, {s.random():.5f}",
    "two limits": lambda s: f"{s.random():.4f},{s.uniform(1, 4):.4f}",
    "two deviations": lambda s: f"{s.uniform(-3, 3):.6f},{s.uniform(-3, 3):.6f}",
    "measures": lambda s: f"{s.uniform(0, 80):.2f} x {s.uniform(0, 100):.2f}",
    "time of day": lambda s: f"{_at(s):%H:%M:%S}",
    "point in time": lambda s: f"{_at(s):%Y-%m-%dT%H:%M:%SZ}",
    "point in time in pairs": lambda s: f"{_at(s):%y-%m-%d-%H-%M-%S}",
    "date of eight digits": lambda s: f"{_at(s):%Y%m%d}",
    "date and time of fourteen digits": lambda s: f"{_at(s):%Y%m%d%H%M%S}",
    "file": lambda s: f"report_{digits(s, 4)}.pdf",
    "path": lambda s: f"/data/2024/part-{digits(s, 5)}.parquet",
    "host": lambda s: f"node{digits(s, 3)}.internal.example",
    "handle": lambda s: f"@shop{digits(s, 3)}",
    "scope": lambda s: s.choice(("std::cout", "add::bad", "fe::be")),
    "ticket": lambda s: f"PROJ-{digits(s, 4)}",
    "city": lambda s: s.choice(("Pune", "New Delhi", "Kochi")),
    "film": lambda s: s.choice(("Kabir Singh", "Jolly LLB", "Rocky", "Maria")),
    "diet": lambda s: s.choice(("veg", "jain", "vegan", "no onion")),
    "clothes": lambda s: s.choice(("man", "woman", "kids", "unisex")),
    "phase": lambda s: f"Phase {s.randint(1, 4)} trial",
    "floor": lambda s: f"Block {letters(s, 1)}, Floor {s.randint(1, 9)}",
    "opened and closed": lambda s: f"open {s.randint(1, 99)}, close {s.randint(1, 99)}",
    "status": lambda s: s.choice(("pending", "approved", "in transit", "complete")),
}

SEQUENCES = {
    "16 digits by tens": [str(4_000_000_000_000_000 + 10 * index) for index in range(1000)],
    "12 digits": [str(300_000_000_000 + index) for index in range(1000)],
    "20 codes of 16 digits": [str(4_000_000_000_000_000 + index % 20 * 7919) for index in range(1000)],
    "20 codes of 12 digits": [str(300_000_000_000 + index % 20 * 7919) for index in range(1000)],
    "20 codes of 10 digits": [str(1_500_000_000 + index % 20 * 7919) for index in range(1000)],
    "10 digits from 9, counted up": [str(9_000_000_000 + index) for index in range(1000)],
    "20 codes of 10 digits from 9": [str(9_811_100_000 + index % 20 * 7919) for index in range(1000)],
    "20 codes of 9 digits": [str(110_000_000 + index % 20 * 7919) for index in range(1000)],
}


def ordinary_columns(rows: int) -> dict[str, list[str]]:
    return {name: column_of(make, rows) for name, make in MAKERS.items()} | SEQUENCES
