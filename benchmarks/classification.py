"""Claim: a million rows of twenty columns are classified in a minute, every cell; at 100 times presidio's speed.

Ours: cells a second over 100,000 rows of the generated loan table. Peer: presidio-analyzer's `BatchAnalyzerEngine` over
a dict of the same columns, in the same process, with every recogniser that it ships for an entity of these tables;
over the table's first rows, since all would take it most of an hour, and by the cell. It may not open a connection: its
list of public suffixes is the one it brings along, and its language engine has no model, so it finds no names.

The million rows are classified in a process of their own, for their time and peak memory; to write them is another's
work. Quality is measured on columns of known content, with dirt, without telling names, and among near misses. Presidio
says something about a cell, not a column: as presidio-structured does it, a column is what most of its cells are by
their best result, and of the thresholds that this result has to reach the best for presidio is taken.

    python benchmarks/classification.py --write

writes precision, recall and F2 of each entity into docs/classification.md.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generated.columns import MILLION, Column, cells, known_columns
from report import Result, report

if TYPE_CHECKING:
    import pyarrow as pa
    from presidio_analyzer import BatchAnalyzerEngine

    from secure_ml.policy.labels import Entity
    from secure_ml.protection.classify.finding import Finding

ROWS, SECONDS, GOAL, SEED = 1_000_000, 60, 100, 20_240_101
AGAINST_PEER, PEER_ROWS, QUALITY_ROWS = 100_000, 1_000, 300
BATCH_ROWS = 65_536
THRESHOLDS = (0.0, 0.4, 0.5, 0.6, 0.85)
PAGE = Path(__file__).resolve().parents[1] / "docs" / "classification.md"
BEGIN, END = "<!-- tables:begin -->", "<!-- tables:end -->"

PEER_ENTITIES = {
    "ABA_ROUTING_NUMBER": "routing_number",
    "CREDIT_CARD": "card",
    "DATE_TIME": "date_of_birth",
    "EMAIL_ADDRESS": "email",
    "IBAN_CODE": "iban",
    "IN_AADHAAR": "aadhaar",
    "IN_GSTIN": "gstin",
    "IN_PAN": "pan",
    "IN_PASSPORT": "passport",
    "IN_VEHICLE_REGISTRATION": "vehicle_number",
    "IN_VOTER": "voter_id",
    "IP_ADDRESS": "ip_address",
    "MAC_ADDRESS": "mac_address",
    "PHONE_NUMBER": "phone",
    "UK_NHS": "nhs_number",
    "URL": "url",
    "US_BANK_NUMBER": "account_number",
    "US_ITIN": "itin",
    "US_NPI": "npi",
    "US_SSN": "ssn",
}
"""What presidio's recognisers call the entities of these tables."""


def write_table(path: Path, rows: int) -> None:
    """Writes the loan table as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with ProcessPoolExecutor() as pool:
        columns = [pool.submit(_column, name, rows, SEED + n) for n, name in enumerate(MILLION)]
        table = pa.table({name: column.result() for name, column in zip(MILLION, columns, strict=True)})
    pq.write_table(table, path)


def _column(name: str, rows: int, seed: int) -> "pa.Array":
    import pyarrow as pa

    values = pa.array(cells(MILLION[name], rows, seed=seed))
    # A table has types: amounts and dates are no text.
    types = {"loan_amount": pa.float64(), "annual_income": pa.int64(), "applied_on": pa.date32()}
    return values.cast(types.get(name, values.type))


def classify(batches: Iterable[Any]) -> "tuple[Finding, ...]":
    """Classifies a table, every cell."""
    from secure_ml.protection.classify.classifier import Classifier

    classifier = Classifier()
    for batch in batches:
        classifier.update(batch)
    return classifier.findings()


def classify_file(path: Path) -> dict[str, float]:
    """Reads and classifies a table; returns seconds and memory in MB.

    Raises:
        RuntimeError: a cell was left out.
    """
    import pyarrow.parquet as pq

    classify([])  # the imports are no part of the work
    before, start = peak_mb(), time.perf_counter()
    with pq.ParquetFile(path) as file:
        found = classify(file.iter_batches(batch_size=BATCH_ROWS))
        rows = file.metadata.num_rows
    seconds = time.perf_counter() - start
    if any(f.rows != rows or (f.validated and f.examined != f.pattern_matches) for f in found):
        raise RuntimeError("a cell was not examined")
    return {"rows": rows, "cells": rows * len(found), "seconds": seconds, "before_mb": before, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """This process's peak resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def presidio() -> "BatchAnalyzerEngine":
    """Presidio's analyzer with every recogniser of these entities, without a language model, offline."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
    from presidio_analyzer import predefined_recognizers as shipped
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    nlp_engine = SpacyNlpEngine()
    nlp_engine.nlp = {"en": spacy.blank("en")}
    regions = {"PhoneRecognizer": {"supported_regions": ("IN", "US", "GB")}}
    names = (
        "AbaRouting CreditCard Date Email Iban InAadhaar InGstin InPan InPassport InVehicleRegistration InVoter Ip "
        "MacAddress Nhs Phone Url UsBank UsItin UsNpi UsSsn"
    )
    recognizers = [getattr(shipped, f"{n}Recognizer")(**regions.get(f"{n}Recognizer", {})) for n in names.split()]
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    return BatchAnalyzerEngine(AnalyzerEngine(registry=registry, nlp_engine=nlp_engine, supported_languages=["en"]))


def best_results(engine: "BatchAnalyzerEngine", columns: Mapping[str, Sequence[str]]) -> list[list[tuple[str, float]]]:
    """For each column presidio's best result of each cell, as its entity and score; an empty entity for none."""
    best = []
    for column in engine.analyze_dict({name: list(values) for name, values in columns.items()}, language="en"):
        found = (max(results, key=lambda r: r.score, default=None) for results in column.recognizer_results)
        best.append([("", 0.0) if r is None else (PEER_ENTITIES[r.entity_type], r.score) for r in found])
    return best


def measure_speed(path: Path, peer_rows: int) -> dict[str, float]:
    """Cells a second of both over the table in `path`, the peer's over its first rows."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    classify(table.slice(0, 1_000).to_batches())
    start = time.perf_counter()
    classify(table.to_batches(max_chunksize=BATCH_ROWS))
    ours = table.num_rows * table.num_columns / (time.perf_counter() - start)

    first = table.slice(0, peer_rows)
    columns = {name: [str(cell) for cell in first[name].to_pylist()] for name in first.column_names}
    engine = presidio()
    best_results(engine, {name: values[:5] for name, values in columns.items()})
    start = time.perf_counter()
    best_results(engine, columns)
    peer = first.num_rows * first.num_columns / (time.perf_counter() - start)
    return {"ours": ours, "peer": peer, "rows": table.num_rows, "peer_rows": first.num_rows}


@dataclass
class Score:
    """Columns rightly, wrongly and not called by the name of an entity."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def columns(self) -> int:
        """Columns that hold the entity."""
        return self.right + self.missed

    @property
    def precision(self) -> float:
        """Share of the columns so called that are; 1 where none is so called."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share of the entity's columns that are so called; 1 where there is none."""
        return self.right / self.columns if self.columns else 1.0

    @property
    def f2(self) -> float:
        """Harmonic mean of both, recall counting twice as much as precision."""
        weighted = 5 * self.right + 4 * self.missed + self.wrong
        return 5 * self.right / weighted if weighted else 1.0


def score(truth: Sequence[str], called: Sequence[str]) -> dict[str, Score]:
    """Each entity's score, from what columns hold and what they are called; an empty word for nothing."""
    scores: dict[str, Score] = {entity: Score() for entity in sorted({*truth, *called} - {""})}
    for is_, said in zip(truth, called, strict=True):
        if said and said == is_:
            scores[said].right += 1
        elif said:
            scores[said].wrong += 1
        if is_ and said != is_:
            scores[is_].missed += 1
    return scores


def total(scores: Iterable[Score]) -> Score:
    """All of them together."""
    kept = list(scores)
    return Score(*(sum(getattr(s, part) for s in kept) for part in ("right", "wrong", "missed")))


@dataclass(frozen=True)
class Quality:
    """What both made of the same columns; the peer's at its best threshold."""

    ours: Mapping[str, Score]
    peer: Mapping[str, Score]
    columns: int
    rows: int
    threshold: float

    def both(self, scores: Mapping[str, Score]) -> Score:
        """The entities that presidio has a recogniser for, together."""
        return total(s for entity, s in scores.items() if entity in PEER_ENTITIES.values())


def measure_quality(rows: int) -> Quality:
    """Classifies columns of known content with both."""
    import pyarrow as pa

    known = list(known_columns())
    made = [cells(column.maker, rows, seed=SEED + number) for number, column in enumerate(known)]
    truth = [_word(column.entity) for column in known]
    # Columns of one name stand in one table only once.
    found = classify([pa.RecordBatch.from_arrays(list(map(pa.array, made)), names=_names(known))])
    ours = score(truth, [_word(finding.entity) for finding in found])

    best = best_results(presidio(), dict(zip(_names(known), made, strict=True)))
    by_threshold = {limit: score(truth, [_most(column, limit) for column in best]) for limit in THRESHOLDS}
    own = set(PEER_ENTITIES.values())
    threshold = max(THRESHOLDS, key=lambda limit: total(s for e, s in by_threshold[limit].items() if e in own).f2)
    return Quality(ours, by_threshold[threshold], len(known), rows, threshold)


def _names(known: Sequence[Column]) -> list[str]:
    names = [column.name for column in known]
    if len(set(names)) != len(names):
        raise ValueError("two columns have one name")
    return names


def _word(entity: "Entity") -> str:
    # A key of a record says nothing of a person: an order number may be called one.
    return "" if entity in {"none", "record_id"} else str(entity)


def _most(column: Sequence[tuple[str, float]], limit: float) -> str:
    words = Counter(entity if certainty >= limit else "" for entity, certainty in column)
    return words.most_common(1)[0][0]


def _figures(quality: Quality) -> list[list[str]]:
    def three(scores: Mapping[str, Score], entity: str) -> list[str]:
        s = scores.get(entity, Score())
        return [f"{s.precision:.2f}", f"{s.recall:.2f}", f"{s.f2:.2f}"]

    rows = []
    for entity in sorted(e for e, s in quality.ours.items() if s.columns):
        peer = three(quality.peer, entity) if entity in PEER_ENTITIES.values() else ["-"] * 3
        rows.append([entity, str(quality.ours[entity].columns), *three(quality.ours, entity), *peer])
    together = {"ours": quality.both(quality.ours), "peer": quality.both(quality.peer)}
    label, everything = "all that presidio knows", {"ours": total(quality.ours.values())}
    rows.append([label, str(together["ours"].columns), *three(together, "ours"), *three(together, "peer")])
    rows.append(["all", str(everything["ours"].columns), *three(everything, "ours"), "-", "-", "-"])
    return rows


_HEADER = ["entity", "columns", "precision", "recall", "F2", "presidio: precision", "recall", "F2"]


def write_page(quality: Quality, page: Path = PAGE) -> None:
    """Puts the figures between the page's markers; begins the page where there is none."""
    near = quality.columns - sum(s.columns for s in quality.ours.values())
    lines = [
        f"{quality.columns} columns of {quality.rows} cells, {near} of them near misses; presidio-analyzer at its best "
        f"threshold, {quality.threshold}.",
        "",
        f"| {' | '.join(_HEADER)} |",
        f"|---|{'---:|' * (len(_HEADER) - 1)}",
        *(f"| {' | '.join(row)} |" for row in _figures(quality)),
    ]
    text = page.read_text(encoding="utf-8") if page.exists() else f"# Classification\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"{page.name} has no place for the tables: {BEGIN} and {END}")
    page.write_text("\n".join([head + BEGIN, *lines, END + tail]), encoding="utf-8")


def measure_million(path: Path, rows: int) -> dict[str, float]:
    """Writes a table to `path` and classifies it, each in a process of its own."""
    for job in (["write", str(path), str(rows)], ["classify", str(path)]):
        # This process stays small till then: a child's peak would begin at its parent's.
        done = subprocess.run([sys.executable, __file__, *job], stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main(
    rows: int = ROWS,
    against_peer: int = AGAINST_PEER,
    peer_rows: int = PEER_ROWS,
    quality_rows: int = QUALITY_ROWS,
    *,
    write: bool = False,
) -> int:
    """Measures and reports; returns 0 when the claim holds."""
    with tempfile.TemporaryDirectory() as made:
        large, small = Path(made, "large.parquet"), Path(made, "small.parquet")
        whole = measure_million(large, rows)
        write_table(small, against_peer)
        speed = measure_speed(small, peer_rows)
    quality = measure_quality(quality_rows)
    if write:
        write_page(quality)
    ours, peer = quality.both(quality.ours), quality.both(quality.peer)
    ratio = speed["ours"] / speed["peer"]
    result = Result(
        f"{rows:,} rows of {len(MILLION)} columns are classified in {SECONDS} s, every cell, "
        f"at {GOAL} times presidio's speed and with a better F2",
        round(speed["ours"]),
        round(speed["peer"]),
        "cells a second",
        round(ratio, 1),
        GOAL,
        ratio >= GOAL and whole["seconds"] <= SECONDS and ours.f2 > peer.f2,
        {
            "rows": rows,
            "seconds": round(whole["seconds"], 1),
            "peak_mb": round(whole["peak_mb"]),
            "before_mb": round(whole["before_mb"]),
            "against_peer_rows": int(speed["rows"]),
            "peer_rows": int(speed["peer_rows"]),
            "f2": round(ours.f2, 3),
            "peer_f2": round(peer.f2, 3),
            "peer_threshold": quality.threshold,
        },
    )
    dash = ["-"] * 5
    table = [
        [f"{rows:,} rows: seconds", "", "", "", f"{whole['seconds']:.1f}", *dash[:3]],
        [f"{rows:,} rows: MB peak", "", "", "", f"{whole['peak_mb']:,.0f}", *dash[:3]],
        ["cells a second", "", "", "", f"{speed['ours']:,.0f}", "", "", f"{speed['peer']:,.0f}"],
        *_figures(quality),
    ]
    return report(result, header=_HEADER, rows=table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="of the table that is classified for its time")
    parser.add_argument("--against-peer", type=int, default=AGAINST_PEER, help="rows of the table that both get")
    parser.add_argument("--peer-rows", type=int, default=PEER_ROWS, help="rows of it that the peer gets")
    parser.add_argument("--quality-rows", type=int, default=QUALITY_ROWS, help="cells of each column of known content")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/classification.md")
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write_table(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["classify"]:
        print(json.dumps(classify_file(Path(sys.argv[2]))))
    else:
        told = _arguments()
        sys.exit(main(told.rows, told.against_peer, told.peer_rows, told.quality_rows, write=told.write))
