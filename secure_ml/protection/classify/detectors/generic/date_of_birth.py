"""Dates of birth: any date, or a year, under a name that says birth."""

from secure_ml.policy.labels import Category, Entity, Identifiability
from secure_ml.protection.classify.cells import Kind
from secure_ml.protection.classify.pattern_detector import PatternDetector, TextForm

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = (
    r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}"
    r"|[0-9]{1,2}[-/. ][0-9]{1,2}[-/. ](?:[0-9]{4}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?[ /-]{_MONTH}[ ,/-]{{1,2}}(?:[0-9]{{4}}|[0-9]{{2}})"
    rf"|{_MONTH} [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}"
)
_COMPACT = (
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9]|(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])(?:19|20)[0-9]{2}"
    r"|[0-9]{1,2}[-/](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[-/][0-9]{1,2}"
)

DETECTOR = PatternDetector(
    entity=Entity.DATE_OF_BIRTH,
    category=Category.PII,
    identifiability=Identifiability.QUASI,
    pattern=rf"(?:{_DATE})(?:[T ][0-9:.+Z ]+)?|{_COMPACT}|(?:19|20)[0-9]{{2}}",
    kinds=frozenset({Kind.TEXT, Kind.DATE, Kind.NUMBER}),
    context=("dob", "birth ?(?:date|day|year|dt)?", "born", "d o b", "date ?of ?birth", "year ?of ?birth", "yob"),
    not_context=("place", "country", "city", "weight", "order"),
    needs_context=True,
    text=TextForm(pattern=_DATE, score=0.0, before=("dob", "d.o.b", "born", "birth", "born on", "date of birth")),
)
