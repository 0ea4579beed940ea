"""The drafted policy as commented YAML.

Belongs here: wording and quoting. Must stay out: every decision; what is written here was settled before.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import yaml

from secure_ml.policy.load import COMPONENT_TYPE
from secure_ml.protection.draft.company import BOUNDS, Company
from secure_ml.protection.draft.cuts import plain
from secure_ml.protection.draft.proposal import KEEP, Proposal, Value
from secure_ml.protection.draft.settings import Settings
from secure_ml.protection.draft.target import Target

BOUNDS_NOTE = "drafted from data; declaring them from your knowledge of the domain keeps the guarantee"

_PLAIN_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_ ]*[A-Za-z0-9_])?")
_UNBROKEN = 1 << 20
_MOST_NAMED = 12


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
        company: what is asked of anonymity, and holds; None where nothing is.
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
    company: Company | None = None

    @property
    def known(self) -> tuple[str, ...]:
        """Columns that strangers may know of a person, and that the draft leaves in some form."""
        return tuple(p.column for p in self.proposals if p.ladder)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Columns of `masked` beside these that are no pseudonym and no outcome; the steward answers for them."""
        hidden = {"drop", "token", "redact"}
        return tuple(
            p.column
            for p in self.proposals
            if not p.ladder and p.treatment["kind"] not in hidden and p.use["kind"] != "administrative"
        )

    @property
    def learns_from_suppressed(self) -> bool:
        """Whether suppression takes cells of a feature, so that the privacy loss is stated for `masked` only."""
        if self.company is None or not self.company.suppress:
            return False
        taken = self.company.suppressed_columns or self.company.quasi_identifiers
        return any(p.is_feature for p in self.proposals if p.column in taken)

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
    lines = [*_head(contents), *_source(contents), *_columns(contents), *_anonymity(contents)]
    lines += [*_training(contents), *_rest(contents)]
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
    yield f"      treatment: {_mapping(p.treatment)}{f' # {p.because}' if p.because else ''}"
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
        if p.from_data:
            yield "        bounds_from: data # so is the treatment: leave this out once both are your own"
        else:
            yield "        # bounds_from: data  # belongs to the drafted ones: it voids the guarantee; reports say so"


def _bounds(p: Proposal) -> str:
    if p.use["kind"] not in {"feature", "fairness"}:
        return ""
    if p.bins:
        return f"bins: [{', '.join(plain(cut) for cut in p.bins)}]"
    return f"categories: {_list(p.categories)}" if p.is_feature and p.categories else ""


def _anonymity(c: Contents) -> Iterator[str]:
    if c.company is None:
        yield from _no_anonymity(c)
        return
    left = [p for p in c.proposals if p.column in c.company.quasi_identifiers]
    coarser = [p.column for p in left if p.treatment != KEEP]
    k = c.company.k
    yield f"  # Strangers may know these of a person. {k} people or more of this table share each combination of them,"
    yield f"  # so that who looks for somebody is right in at most 1 of {k} cases."
    if c.company.given_up:
        yield f"  # Dropped for it: {_named(c.company.given_up)}. Nothing less was enough."
    if coarser:
        yield f"  # Left, but coarser or with the rare values as one: {_named(coarser)}."
    if c.unknown:
        yield f"  # Taken to be known to nobody outside: {_named(c.unknown)}. If one is, name it below, or drop it."
    yield "  anonymity:"
    yield f"    k: {c.company.k}"
    yield f"    quasi_identifiers: {_list(c.company.quasi_identifiers)}"
    if c.company.suppress:
        yield "    suppress: true # the rarest combinations become missing"
        if c.company.suppressed_columns:
            yield f"    suppressed_columns: {_list(c.company.suppressed_columns)} # no input, so the privacy loss stays"
        if c.learns_from_suppressed:
            yield "    # The model learns from some of them, so the privacy loss is stated for masked only."
        share = c.company.section.maximum_suppressed
        yield f"    maximum_suppressed: {share} # share of the rows; beyond it nothing is made"
    yield ""


def _no_anonymity(c: Contents) -> Iterator[str]:
    yield "  # Nothing is asked of anonymity yet, and the check says so."
    if not c.known:
        yield "  # No column was recognised that strangers may know. If one is, name it:"
    elif not c.consent_settled:
        yield "  # Who is in the table depends on the consent: settle that, draft anew, and a bound is drafted too."
        return
    else:
        yield f"  # Strangers may know {_named(c.known)}."
        yield f"  # However coarse these are made, fewer than {min(BOUNDS)} people share some combination, unless"
        yield "  # more than half of these columns, or all features, are dropped."
        yield "  # Decide which of them the purpose can do without, drop those, and ask for the others:"
    yield f"  # anonymity: {{k: {min(BOUNDS)}, quasi_identifiers: [...]}}"
    yield ""


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


def _mapping(fields: Mapping[str, Value] | Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {_value(value)}' for name, value in fields.items())}}}"


def _value(value: Value) -> str:
    match value:
        case str():
            return quoted(value) if _PLAIN_NAME.fullmatch(value) else _text(value)
        case date():
            return value.isoformat()
        case tuple():
            return f"[{', '.join(_text(v) if isinstance(v, str) else plain(v) for v in value)}]"
    return plain(value)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(_text(text) for text in texts)}]"


def _text(text: str) -> str:
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=_UNBROKEN)).strip()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
