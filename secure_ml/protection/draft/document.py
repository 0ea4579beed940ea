"""The drafted policy as commented YAML.

Belongs here: wording and quoting. Must stay out: every decision; what is written here was settled before.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from secure_ml.policy.load import COMPONENT_TYPE
from secure_ml.protection.draft.cuts import plain
from secure_ml.protection.draft.proposal import Proposal
from secure_ml.protection.draft.settings import Settings
from secure_ml.protection.draft.target import Target

BOUNDS_NOTE = "drafted from data; declaring them from your knowledge of the domain keeps the guarantee"

_PLAIN_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ ]*[A-Za-z0-9_])?")
_UNBROKEN = 1 << 20


@dataclass(frozen=True)
class Contents:
    """All that the document says.

    Attributes:
        project: the project's name.
        format: of the source.
        path: of the source, absolute or relative to the policy's folder.
        delimiter: of a CSV source.
        missing: texts that mean missing.
        label: the label column.
        target: its classes.
        subject: the subject column.
        consent: the consent column with the texts that grant it; None where there is none, or more than one.
        consent_columns: every column that speaks of consent.
        proposals: every column.
        settings: sizes that follow from the table's.
        accept: whether the drafted bounds are the steward's own.
    """

    project: str
    format: str
    path: str
    delimiter: str
    missing: tuple[str, ...]
    label: str
    target: Target
    subject: str | None
    consent: tuple[str, tuple[str, ...]] | None
    consent_columns: tuple[str, ...]
    proposals: tuple[Proposal, ...]
    settings: Settings
    accept: bool

    @property
    def fields_to_fill(self) -> tuple[str, ...]:
        """Fields that the steward has to fill in before the policy loads."""
        bounds = () if self.accept else tuple(f"columns.{p.column}.use" for p in self.proposals if p.is_feature)
        return bounds if self.consent_settled else ("legal_basis", *bounds)

    @property
    def loads(self) -> bool:
        """Whether the policy can be used without an edit."""
        return not self.fields_to_fill

    @property
    def consent_settled(self) -> bool:
        """Whether it is clear which column, if any, says who agreed."""
        return not self.consent_columns or (self.consent is not None and bool(self.consent[1]))


def quoted(text: str) -> str:
    """A YAML scalar that reads back as exactly this text, on one line; plain where that is safe."""
    if _PLAIN_NAME.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=_UNBROKEN)).strip()


def render(contents: Contents) -> str:
    """The whole file."""
    lines = [*_head(contents), *_source(contents), *_columns(contents), *_training(contents), *_rest(contents)]
    return "\n".join(lines) + "\n"


def _head(c: Contents) -> Iterator[str]:
    yield f"# A drafted policy of the project {c.project}: what its table tells, and what only you can."
    yield "# Every field is explained in docs/policy.md. Read each line: from now on it is your declaration."
    yield ""
    yield f"type: {COMPONENT_TYPE}"
    yield ""
    yield "attributes:"
    yield f"  project: {c.project}"
    yield f"  title: {quoted(f'Drafted: {c.project}')} # say it for people"
    yield "  # What is the data processed for? Consent is asked for exactly this."
    yield f"  purpose: {quoted(f'Drafted: to predict {c.label}. Say what for, and who decides what with it.')}"
    if not c.consent_settled:
        yield "  # Columns speak of consent, and it is not clear which one grants it here. Say so:"
        yield "  # legal_basis: consent"
        yield "  # consent: {column: ..., granted: [...]}"
    elif c.consent is not None:
        yield "  legal_basis: consent # drafted, since a column speaks of consent"
    else:
        yield "  legal_basis: legitimate_interests # drafted; nobody but you can know: GDPR Art. 6 (1), or its like"
    yield "  owners: [team:data_stewards] # drafted; the teams that answer for it, each team:name"
    yield ""


def _source(c: Contents) -> Iterator[str]:
    yield "  source:"
    yield f"    format: {c.format}"
    yield f"    path: {quoted(c.path)}"
    if c.format == "csv":
        yield f"    delimiter: {quoted(c.delimiter)}"
    yield f"    missing: {_list(c.missing)} # cells that mean: nothing is known"
    yield "    partitions: {kind: none} # one piece; monthly or static where the table grows"
    yield ""
    if c.subject is None:
        yield "  # No subject is named, so every row counts as a person of its own. If one person can have several,"
        yield "  # name the column that is the same in all of them; its treatment must be token."
        yield "  # subject: {column: ...}"
    else:
        yield "  # All rows of one person lie on one side of the split, and count once for privacy."
        yield f"  subject: {{column: {quoted(c.subject)}}}"
    yield f"  label: {{column: {quoted(c.label)}, positive: {_text(c.target.positive)}}} # positive: {c.target.why}"
    if c.consent is not None and c.consent[1]:
        yield f"  consent: {{column: {quoted(c.consent[0])}, granted: {_list(c.consent[1])}}}"
    yield ""


def _columns(c: Contents) -> Iterator[str]:
    yield "  columns:"
    for proposal in c.proposals:
        yield from _column(proposal, accept=c.accept)
    yield ""


def _column(p: Proposal, *, accept: bool) -> Iterator[str]:
    a = p.assignment
    yield f"    {quoted(p.column)}:"
    yield f"      # {_sentence(p.why)}"
    if p.question:
        yield f"      # To settle: {p.question}"
    yield f"      description: {quoted(p.description)}"
    yield f"      type: {a.type}"
    yield f"      category: {a.category}"
    if a.entity != "none":
        yield f"      entity: {a.entity}"
    yield f"      identifiability: {a.identifiability}"
    yield f"      treatment: {_mapping(p.treatment)}"
    bounds = _bounds(p)
    if not bounds:
        yield f"      use: {_mapping(p.use)}"
        return
    yield "      use:"
    for name, value in p.use.items():
        yield f"        {name}: {quoted(value)}"
    if not p.is_feature:
        yield f"        {bounds} # groups that are compared; drafted from data, at least 20 people in each"
    elif accept:
        yield f"        {bounds}"
        yield "        bounds_from: data # voids the differential-privacy guarantee, and reports say so"
    else:
        yield f"        # {bounds}  # {BOUNDS_NOTE}"
        yield "        # bounds_from: data  # belongs to the drafted ones: it voids the guarantee, and reports say so"


def _bounds(p: Proposal) -> str:
    if p.use["kind"] not in {"feature", "fairness"}:
        return ""
    if p.bounds.bins:
        return f"bins: [{', '.join(plain(cut) for cut in p.bounds.bins)}]"
    return f"categories: {_list(p.bounds.categories)}" if p.bounds.categories else ""


def _training(c: Contents) -> Iterator[str]:
    s = c.settings
    yield "  quality:"
    yield "    minimum_rows: 1 # drafted; a delivery with fewer rows is refused"
    yield ""
    yield "  split: # by person; the share on each side"
    yield f"    validation: {s.validation}"
    yield f"    test: {s.test} # {s.why_test}"
    yield ""
    yield "  training:"
    yield "    estimator:"
    yield "      kind: dp_additive"
    yield f"      epsilon: {s.epsilon} # {s.why_epsilon}"
    yield f"      delta: {s.delta} # far below one in the number of people"
    yield f"      rounds: {s.rounds}"
    yield "      clip: 1.0 # cuts nothing, so that a score can be read as a probability"
    yield "      # Five trainings; then you decide anew."
    yield f"      budget: {{epsilon: {s.budget_epsilon}, delta: {s.budget_delta}}}"
    yield ""
    yield "  # Drafted gates warn and do not block, since nobody has said yet what is good enough. Make them yours."
    yield "  gates:"
    yield "    performance:"
    yield "      - {metric: auc, minimum: 0.6, blocking: false}"
    yield "      - {metric: expected_calibration_error, maximum: 0.1, blocking: false}"
    protected = [p.column for p in c.proposals if p.use["kind"] == "fairness"]
    if protected:
        yield "    fairness:"
    for name in protected:
        gate = f"attribute: {quoted(name)}, metric: demographic_parity_difference, maximum: 0.1, blocking: false"
        yield f"      - {{{gate}}}"
    yield f"    leakage: {{maximum_single_feature_auc: {s.leakage}}} # {s.why_leakage}"
    yield "    disclosure: {minimum_cell: 30, minimum_positives: 10} # figures over fewer people are not shown"
    yield ""


def _rest(c: Contents) -> Iterator[str]:
    yield "  approvals:"
    yield "    required: 2 # drafted; four eyes"
    yield "    roles: [risk_officer]"
    yield ""
    yield "  retention: # drafted; days, as your law and your records plan say"
    yield "    raw_days: 90"
    yield "    masked_days: 365"
    yield "    model_days: 1825"
    yield ""
    yield "  storage:"
    yield "    buckets: 1 # an erasure rewrites one bucket"


def _mapping(fields: Mapping[str, str | float]) -> str:
    parts = [f"{name}: {quoted(v) if isinstance(v, str) else plain(v)}" for name, v in fields.items()]
    return f"{{{', '.join(parts)}}}"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(_text(text) for text in texts)}]"


def _text(text: str) -> str:
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=_UNBROKEN)).strip()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
