"""Claim: in texts, words of people are found with a better F2 than presidio's, and scrubbed 50 times as fast.

Both sides get the same texts in the same run: presidio-research's public labelled texts (MIT), which are no part of the
project. Name the file by `--texts` or `SECURE_ML_TEXTS`; without it nothing is measured. `--model` names an installed
spaCy package for presidio, and for a second column of ours; without it presidio has a blank pipeline, which finds no
names and no places: then the claim is about F2 alone.

A word (letters, digits and underscores between other signs) counts as found where a span of its entity covers a part of
it. Texts of even template numbers served to write the rules; the figures are of the odd ones, which nobody looked at.
F2 weighs recall four times as much as precision: what is missed tells more of a person than a word too many.

Speed: texts a second of the processor's time, so that a busy machine flatters nobody, for search and replacement; ours
all texts at once, presidio's analyzer and anonymizer one by one.

`--write` puts the table into docs/classification.md.
"""

import argparse
import gzip
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import Result, report, skip

BETTER = "words of people in texts are found with a better F2 than presidio's"
CLAIM = f"{BETTER}, and scrubbed 50 times as fast as with its language model"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "classification.md"
BEGIN, END = "<!-- texts:begin -->", "<!-- texts:end -->"
GOAL, ROUNDS = 50, 3
SEPARATED = ";\n"

BOTH = (
    "person", "place or address", "card", "phone", "e-mail", "IBAN", "IP address", "SSN", "web address",
    "driving licence",
)  # fmt: skip
"""What both sides claim to find; the rest is told apart."""
OURS_ALONE, PEER_ALONE, NEITHER = ("organisation",), ("date",), ("title",)

LABELLED = {
    "PERSON": "person", "LOCATION": "place or address", "ADDRESS": "place or address", "CREDIT_CARD": "card",
    "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "e-mail", "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP address",
    "US_SSN": "SSN", "DOMAIN_NAME": "web address", "US_DRIVER_LICENSE": "driving licence",
    "ORGANIZATION": "organisation", "DATE_TIME": "date", "TITLE": "title", "PREFIX": "title",
}  # fmt: skip
FOUND_BY_PEER = {**LABELLED, "URL": "web address"}
FOUND_BY_OURS = {
    "person_name": "person", "place": "place or address", "postal_address": "place or address",
    "pin_code": "place or address", "card": "card", "phone": "phone", "email": "e-mail", "iban": "IBAN",
    "ip_address": "IP address", "ssn": "SSN", "url": "web address", "driving_licence": "driving licence",
    "employer": "organisation", "date_of_birth": "date",
}  # fmt: skip

Spans = Sequence[tuple[str, int, int]]
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Text:
    """A text with its labelled spans: entity of this page, start, end."""

    text: str
    labelled: Spans


@dataclass
class Score:
    """Words found rightly, wrongly, and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Share of the found that is right; 1 where nothing was found."""
        found = self.right + self.wrong
        return self.right / found if found else 1.0

    @property
    def recall(self) -> float:
        """Share of the labelled that is found."""
        labelled = self.right + self.missed
        return self.right / labelled if labelled else 1.0

    @property
    def f2(self) -> float:
        """The mean of both that weighs recall four times."""
        weighted = 5 * self.right + 4 * self.missed + self.wrong
        return 5 * self.right / weighted if weighted else 1.0


def read(path: Path, *, odd: bool) -> list[Text]:
    """The texts of the odd or of the even templates."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [
            Text(
                each["full_text"],
                [
                    (
                        LABELLED.get(span["entity_type"], span["entity_type"]),
                        span["start_position"],
                        span["end_position"],
                    )
                    for span in each["spans"]
                ],
            )
            for each in json.load(file)
            if each["template_id"] % 2 == odd
        ]


def scores(texts: Sequence[Text], found: Sequence[Spans]) -> dict[str, Score]:
    """A score for each entity; under "any" that of a word's being covered by any labelled entity that a side claims."""
    counted: defaultdict[str, Score] = defaultdict(Score)
    claimed = {*BOTH, *OURS_ALONE}
    for text, spans in zip(texts, found, strict=True):
        for labelled, given in zip(_words(text.text, text.labelled), _words(text.text, spans), strict=True):
            for entity in labelled | given:
                _count(counted[entity], entity in labelled, entity in given)
            if not labelled - claimed:
                _count(counted["any"], bool(labelled), bool(given))
    return counted


def _count(score: Score, labelled: bool, given: bool) -> None:
    score.right += labelled and given
    score.wrong += given and not labelled
    score.missed += labelled and not given


def _words(text: str, spans: Spans) -> list[set[str]]:
    """For each word of a text the entities that cover a part of it."""
    return [
        {entity for entity, start, end in spans if start < word.end() and word.start() < end}
        for word in _WORD.finditer(text)
    ]


def together(counted: Mapping[str, Score], entities: Iterable[str]) -> Score:
    """The score over several entities."""
    each = [counted.get(entity, Score()) for entity in entities]
    return Score(sum(s.right for s in each), sum(s.wrong for s in each), sum(s.missed for s in each))


@dataclass(frozen=True)
class Measured:
    """What one side found, and how fast it searched and replaced."""

    scores: Mapping[str, Score]
    texts_a_second: float
    spans_a_second: float


def ours(texts: Sequence[Text], model: str | None = None, rounds: int = ROUNDS) -> Measured:
    """Our side; its speed is the median of several rounds, the dictionary being loaded before."""
    import pyarrow as pa

    from secure_ml.policy import treatments
    from secure_ml.policy.columns import ColumnPolicy
    from secure_ml.protection.classify.spacy_model import language_model
    from secure_ml.protection.classify.text_search import TextSearch
    from secure_ml.protection.mask.scrub_text import ScrubText
    from secure_ml.protection.mask.treatment import ColumnReader

    declared: dict[str, Any] = {
        "description": "remarks", "type": "string", "category": "pii", "entity": "free_text", "use": {"kind": "review"},
        "identifiability": "direct", "treatment": {"kind": "scrub_text", "model": model},
    }  # fmt: skip
    column = ColumnPolicy.model_validate(declared)
    treatment = ScrubText(ColumnReader(column, ()), treatments.ScrubText(kind="scrub_text", model=model), {})
    strings = [each.text for each in texts]
    array = pa.array(strings, pa.string())
    treatment.apply(array[:10])
    seconds = [_seconds(lambda: treatment.apply(array)) for _ in range(rounds)]
    found = TextSearch(language_model(model) if model else None).spans(strings)
    return _measured(
        texts,
        [[(FOUND_BY_OURS.get(s.entity, s.entity), s.start, s.end) for s in spans] for spans in found],
        statistics.median(seconds),
    )


def peer(texts: Sequence[Text], model: str | None = None) -> Measured:
    """presidio as it comes, with its default recognisers and entities."""
    from presidio_anonymizer import AnonymizerEngine

    analyzer, anonymizer = _analyzer(model), AnonymizerEngine()

    def scrub(text: str) -> list[Any]:
        results: list[Any] = analyzer.analyze(text, language="en")
        anonymizer.anonymize(text, results)
        return results

    for each in texts[:10]:
        scrub(each.text)
    started = time.process_time()
    found = [scrub(each.text) for each in texts]
    seconds = time.process_time() - started
    return _measured(
        texts,
        [[(FOUND_BY_PEER.get(r.entity_type, r.entity_type), r.start, r.end) for r in results] for results in found],
        seconds,
    )


def _analyzer(model: str | None) -> Any:
    import spacy
    import tldextract
    import yaml
    from presidio_analyzer import AnalyzerEngine, nlp_engine

    # presidio's recogniser of e-mail would fetch the list of public suffixes.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    configured = Path(nlp_engine.__file__).parents[1] / "conf" / "default.yaml"
    configuration = yaml.safe_load(configured.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        if model is None:
            spacy.blank("en").to_disk(folder)
        configuration["models"] = [{"lang_code": "en", "model_name": model or folder}]
        engine = nlp_engine.NlpEngineProvider(nlp_configuration=configuration).create_engine()
        return AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])


def _seconds(run: Any) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def _measured(texts: Sequence[Text], found: Sequence[Spans], seconds: float) -> Measured:
    return Measured(scores(texts, found), len(texts) / seconds, sum(map(len, found)) / seconds)


Row = tuple[str, str, Sequence[Score | None]]


def rows(sides: Sequence[Measured], peers: int) -> list[Row]:
    """Name, words labelled, and the score of each side; None where a side does not claim to find it.

    Args:
        sides: the peer's first, then ours.
        peers: how many of the sides are the peer's.
    """
    made: list[Row] = []
    for entity in (*BOTH, *OURS_ALONE, *PEER_ALONE):
        each: list[Score | None] = [side.scores.get(entity, Score()) for side in sides]
        if entity in OURS_ALONE:
            each[:peers] = [None] * peers
        if entity in PEER_ALONE:
            each[peers:] = [None] * (len(sides) - peers)
        made.append((entity, _labelled(sides[0].scores.get(entity, Score())), each))
    overall = [together(side.scores, BOTH) for side in sides]
    made.append(("all that both claim", _labelled(overall[0]), overall))
    made.append(("covered at all", _labelled(sides[0].scores["any"]), [side.scores["any"] for side in sides]))
    return made


def _labelled(score: Score) -> str:
    return f"{score.right + score.missed:,}"


def better(mine: Measured, other: Measured) -> tuple[bool, list[str]]:
    """Whether ours is better over all entities that both claim, and the entities where it is worse."""
    worse = [e for e in BOTH if mine.scores.get(e, Score()).f2 < other.scores.get(e, Score()).f2]
    return together(mine.scores, BOTH).f2 > together(other.scores, BOTH).f2, worse


def page(table: Sequence[Row], names: Sequence[str], words: str) -> str:
    """The table in Markdown, with the words that say how it was made."""
    head = ["found in texts", "words", *(f"{name}: precision, recall, **F2**" for name in names)]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for name, labelled, each in table:
        cells = [_cell(score) for score in each]
        lines.append(f"| {name} | {labelled} | " + " | ".join(cells) + " |")
    return "\n".join([words, "", *lines])


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    if not score.right + score.missed:
        return f"{score.wrong or 'no'} wrong"
    return f"{score.precision:.3f}, {score.recall:.3f}, **{score.f2:.3f}**"


def write(text: str, path: Path) -> None:
    """Puts the text between the page's marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main(arguments: Sequence[str] = (), *, out: Any = None) -> int:
    """Measures and reports; returns 0 when the claim holds, or when there are no texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=os.environ.get("SECURE_ML_TEXTS"))
    parser.add_argument("--model", help="an installed spaCy package")
    parser.add_argument(
        "--tuning", action="store_true", help="the texts that served to write the rules, not the others"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/classification.md")
    asked = parser.parse_args(list(arguments))
    out = out or sys.stdout
    if asked.texts is None or not Path(asked.texts).is_file():
        return skip(CLAIM, reason="no labelled texts: name the file by --texts or SECURE_ML_TEXTS", out=out)
    texts = read(Path(asked.texts), odd=not asked.tuning)
    other, mine = peer(texts, asked.model), ours(texts)
    without_model = peer(texts) if asked.model else other
    sides, names = [other, mine], [f"presidio, {asked.model or 'blank pipeline'}", "ours"]
    if asked.model:
        sides.append(ours(texts, asked.model))
        names.append(f"ours, {asked.model}")
    table = rows(sides, peers=1)
    is_better, worse = better(mine, other)
    ratio = mine.texts_a_second / other.texts_a_second
    result = Result(
        CLAIM if asked.model else BETTER,
        round(mine.texts_a_second), round(other.texts_a_second), "texts/s", round(ratio, 1), GOAL,
        is_better and not worse and (ratio >= GOAL or not asked.model),
        {
            "f2_ours": round(together(mine.scores, BOTH).f2, 4),
            "f2_peer": round(together(other.scores, BOTH).f2, 4),
            "worse_in": ", ".join(worse) or "nothing",
            "spans_a_second_ours": round(mine.spans_a_second),
            "spans_a_second_peer": round(other.spans_a_second),
            "peer_without_a_model": round(without_model.texts_a_second),
            "texts": len(texts),
            "model": asked.model or "blank",
        },
    )  # fmt: skip
    if asked.write:
        write(page(table, names, _words_of_the_page(texts, sides, names, without_model)), PAGE)
    shown = [
        [name, labelled, *(_cell(s).rpartition(", ")[2].strip("*") for s in each)] for name, labelled, each in table
    ]
    shown.append(["texts a second", f"{len(texts):,}", *(f"{side.texts_a_second:,.0f}" for side in sides)])
    return report(result, header=["F2", "words", *names], rows=shown, out=out)


def _words_of_the_page(
    texts: Sequence[Text], sides: Sequence[Measured], names: Sequence[str], without_model: Measured
) -> str:
    speeds = [f"{name} {side.texts_a_second:,.0f}" for name, side in zip(names, sides, strict=True)]
    if without_model is not sides[0]:
        speeds.append(f"presidio without a model, which finds no names, {without_model.texts_a_second:,.0f}")
    return (
        f"{len(texts):,} of presidio-research's public texts, those of odd template numbers. Texts a second of one\n"
        f"core, searched and replaced:\n{SEPARATED.join(speeds)}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
