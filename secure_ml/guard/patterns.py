"""The regular expressions of redaction: what a person's value looks like, and what only resembles one.

Belongs here: patterns and the word that stands in for each. Must stay out: the order in which they are applied.

Patterns of identifiers have no word boundaries where the surrounding text could forge one; those of harmless tokens
(digests, UUIDs, times) have strict ones. Every quantifier is bounded, possessive, or delimited by a class that excludes
what follows it, so that hostile text costs linear time. Each starts with a narrow class, which `re` searches quickly.
"""

import re

_RECORD = r"[ \t]*(?:\d{4}-\d\d-\d\d[T ]\d\d:|\{\"|Traceback |File \"|The above exception|During handling)"
_NEXT_RECORD = rf"(?=\n(?:{_RECORD})|\Z)"
RECORD = re.compile(_RECORD)
"""How a record of a log, or a part of a printed trace, begins."""

# A raw cell may hold line breaks and quotes, so only the start of another log record ends it.
_CELL = rf"(?:.|\n)*?{_NEXT_RECORD}"

_ERRORS = (
    "Arithmetic|Assertion|Attribute|Data|Date(?:Parse|Time)|FileExists|FileNotFound|IO|Index|Integrity|JSONDecode|Key|Lookup"
    "|Name|NotImplemented|OS|Operational|Overflow|Parser|Permission|Programming|Runtime|Statement|Syntax|Type"
    "|Unicode(?:De|En)code|Validation|Value"
)
_ERROR_OF_A_MODULE = (
    r"(?m:^)[ |]{0,40}(?!secure_ml\.(?!defs\.))(?:[A-Za-z_]\w{0,60}\.){1,8}\w{0,60}"
    r"(?:Error|Exception|Exit|Interrupt|Warning): "
)
ERROR_LINE = re.compile(_ERROR_OF_A_MODULE)
"""How a trace names an error that is not Python's own."""

_SAID = (
    r"CSV parse error: (?:Row #\d{1,7}: )?(?:Expected \d{1,6} columns, got \d{1,6}:)?",
    r"nvalid value |ailed to parse string:|ould not convert (?:string )?(?=['\"])|ould not convert string to \w{1,20}:",
    r"nable to parse string |nable to parse:|nvalid isoformat string:|ime data (?=['\"])|nknown string format:",
    r"nvalid literal for int\(\) with base \d\d?:|rror parsing datetime string |nconverted data remains:",
    r"tring does not contain a date:|ound unknown categories |reviously unseen labels:|uplicate keys:",
    r"one of \[Index\(|verlapping values: Index\(|ith these indexers (?=\[)|annot insert |olumns for key (?=')",
    r"t should be one of (?=\[)|; Got (?=\[)|unseen at fit time:|yet now missing:|RGBA argument:|ata type (?=')",
    r"nvalid input syntax for [a-z ]{1,40}:|ailing row contains |annot setitem on a Categorical",
    r"o such (?:table|column): |odec can't encode character",
    r"\"<[a-z ]{3,20}>\", line \d{1,7}(?:, column \d{1,7}:)?(?:\n|\Z)",
    # Standard errors, as `f\"{type(error).__name__}: {error}\"`, `repr` and printed traces write them.
    rf"(?:{_ERRORS})Error: |ArrowInvalid: |SystemExit: |xception=\w{{1,60}}\(|{_ERROR_OF_A_MODULE}",
)
LIBRARY_MESSAGES = re.compile(rf"(?P<said>{'|'.join(_SAID)}){_CELL}")
"""Texts of pandas, pyarrow, scikit-learn, PostgreSQL and Python that are followed by a cell."""

CELL_FIRST = re.compile(
    r"(?:'[^'\n]*+'|\"[^\"\n]*+\"|\[[^\[\]\n]*+\])"
    r"(?= (?:(?:is )?not in (?:list|index)\b|is not a valid \w|does not appear to be |has dtype incompatible ))"
)
"""Texts that begin with the cell."""

PYDANTIC_INPUT = re.compile(r"(?P<said>input_value=)(?:[^\n]*(?=, input_type=\w+\])|[^\n]*)")
SQL_STATEMENT = re.compile(r"(?P<said>\[SQL: )(?:.|\n)*?(?:\](?=\n|\Z)|\Z)")
SQL_PARAMETERS = re.compile(r"(?P<said>\[parameters: )[^\n]*")
SQL_KEY = re.compile(r"(?P<said>Key \([^()\n]{1,200}\)=)[^\n]*")

_QUOTED = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_LIST = rf"\[(?:[^\[\]{{}}\"']|{_QUOTED}|\[(?:[^\[\]\"']|{_QUOTED})*+\]|\{{(?:[^{{}}\"']|{_QUOTED})*+\}})*+\]"
EXPECTATION_RESULT = re.compile(
    r"(?P<said>[\"'](?:partial_)?unexpected_(?:index_list|index_query|list|counts|rows|values)[\"']\s*:\s*)"
    rf"(?:{_LIST}|{_QUOTED}|(?:None|null)\b|(?:.|\n)*)"
    rf"|(?P<also>[\"']observed_value[\"']\s*:\s*)(?:{_LIST}|{_QUOTED}|(?=[-\d.]|None|null|true|false)|(?:.|\n)*)"
)
"""Fields of a Great Expectations result that hold cells; one that is cut off takes the rest of the text with it."""

URL_PASSWORD = re.compile(r"(?<=://)\S{0,1024}@")
NAMED_SECRET = re.compile(
    r"(?i)(?=[psa?&;])(?P<said>(?:pass(?:word|wd|phrase)|pwd|secret|(?:api|access|private)[_-]?key|auth[_-]?token)"
    r"[\"']?\s{0,3}[=:]\s{0,3}|authorization:\s{0,3}(?:basic|bearer)\s{1,3}|[?&;]token=)"
    r"(?:\"[^\"\n]*+\"|'[^'\n]*+'|\S+)"
)
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:.|\n)*?(?:-----END [A-Z0-9 ]{0,40}-----|\Z)")
EMAIL = re.compile(
    r"(?<![\w.+\-'%&!#$*~^])(?!__repository__@\w+(?![\w.@-]))"
    r"[\w.+\-'%&!#$*~^]++@(?:[\w\-]+(?:\.[\w\-]+)*+|\[[0-9a-fA-F:.]{2,45}\])"
)
"""Also UPI addresses (`name@bank`), which have no dot; not Dagster's name of a code location."""

_SEPARATOR = "[ \u00a0\u2007\u2009\u202f.\\-\u2010-\u2015\u2212/()]{0,2}"
_START, _END = "(?<![0-9A-Za-z])", "(?![0-9A-Za-z])"
_YEAR_MONTH = r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])"

HARMLESS = (
    rf"{_START}[0-9a-f]{{8}}-[0-9a-f]{{4}}-[1-8][0-9a-f]{{3}}-[89ab][0-9a-f]{{3}}-[0-9a-f]{{12}}{_END}"
    # Three letters at least: a bare number of 32 digits is no digest.
    # No neighbour behind a hyphen either: two UUIDs with a number between them would look like a digest there.
    rf"|{_START}(?<![0-9a-f]-)(?=(?:[0-9]*[a-f]){{3}})(?:[0-9a-f]{{64}}|[0-9a-f]{{40}}|[0-9a-f]{{32}})(?!-[0-9a-f]){_END}"
    # Midnight is left out: it is how a date of birth looks once a library has parsed it.
    rf"|(?<!\d){_YEAR_MONTH}-(?:0[1-9]|[12]\d|3[01])[T ](?!00:00(?::00)?(?![:\d]))(?:[01]\d|2[0-3]):[0-5]\d"
    r"(?::[0-5]\d(?:[.,]\d{1,6})?)?(?!\d)(?:Z|\ ?[+-][01]\d:?[0-5]0(?!\d))?"
    rf"|(?<!\d)(?<!\d[ .\-/]){_YEAR_MONTH}(?!\d|-\d)"
    r"|(?<![\d.])(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|0\.0\.0\.0)(?![\d.])"
)
"""UUIDs, digests and version ids, ISO times, monthly partition keys, loopback addresses."""

DAY = (
    r"(?<!\d)(?<!\d[ .\-/])(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?:[-T ](?:[01]\d|2[0-3]):?[0-5]\d)?(?!\d)(?![ .\-/]\d)"
)
"""A day, as partitions are named by it: `2024-11-24`, `20241124`, `2024-11-24-03:00`."""

EMBEDDED = re.compile(r"(data:[a-z]{1,20}/[\w.+\-]{1,60}(?:;[\w=.\-]{1,60}){0,4},[A-Za-z0-9+/=_%\-]*+)")
"""Data written into a text as a URI (RFC 2397), such as a figure in Markdown."""

FRACTION = re.compile(r"(?<![\w.])(?P<kept>\d{1,3}\.\d{4})\d++(?!\w|\.\d)")
"""A long fraction is a measurement: it is cut, not removed. What is left is too short to be anybody's number."""

IDENTIFIERS = {
    "gstin": r"\d{2}[A-Za-z]{5}\d{4}[A-Za-z][0-9A-Za-z][Zz][0-9A-Za-z]",
    "iban": rf"[A-Z]{{2}}\d\d(?:[A-Z0-9]{{11,30}}|(?:[ -][A-Z0-9]{{4}}){{2,7}}(?:[ -][A-Z0-9]{{1,4}})?){_END}",
    "pan": r"[A-Za-z]{5}\d{4}[A-Za-z]|[A-Z]{5}[ -]\d{4}[ -]?[A-Z]",
    "ifsc": r"[A-Z]{4}0(?=[A-Z]{0,5}\d)[A-Z0-9]{6}",
    "ip": r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
    r"|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){2,6}(?::[0-9a-fA-F]{1,4}){1,5}",
    "date": r"\d{1,2}(?:st|nd|rd|th)?[ \-./]{1,2}(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
    r"[ \-./,]{1,3}\d{4}",
    "number": rf"\d(?:{_SEPARATOR}\d){{7,}}",
    "identifier": r"[A-Za-z]{1,3}-?\d{7}",
}
"""Identifiers by the word that replaces them, in the order of search. `identifier` is a passport or voter number."""
