"""What the kernel requires of a new version: the parents that its run opened, and labels not below what flows in.

Belongs here: these rules over policy and manifests. Must stay out: rows, which the kernel never sees; storage.

In the run's own process labels flow through the functions of `dataset`, which stops mistakes. Hostile code sends what
it likes; so the kernel asks nobody. From the policy and the signed manifests of the parents it computes for each column
the least label that the stage's own treatment leaves, and refuses less. See docs/labels.md.
"""

from collections.abc import Callable, Mapping, Sequence

from secure_ml.access.decisions import readable_columns
from secure_ml.access.stages import PARENTS, PARTITIONED, PERIOD, SIDE, Stage
from secure_ml.guard.column_names import listed
from secure_ml.policy.project import Policy
from secure_ml.vault.artefacts import ARTEFACTS
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.labels import DECLASSIFIERS, PUBLIC, STRICTEST, Label, declared_label, join
from secure_ml.vault.manifest import Address, Manifest

Parents = Mapping[Stage, Sequence[Manifest]]
"""Manifests of the versions that a version was made from, by their stage."""

Least = Callable[[str], Label | None]
"""The least label that a column of a name may bear; None where the stage has no such column."""


def require_opened(address: Address, parents: Sequence[str], *, opened: frozenset[str], read: frozenset[str]) -> None:
    """Returns if the parents named are versions that the run opened for this stage, and none that it read is missing.

    Raises:
        AccessRefused: it names another, or leaves one out.
    """
    if not opened.issuperset(parents):
        raise AccessRefused(f"{address}: names a parent that this run has not opened for it; open it first")
    if not read.issubset(parents):
        raise AccessRefused(f"{address}: this run has read a version for it that is not among the parents")


def require_parents(address: Address, parents: Sequence[Manifest]) -> Parents:
    """The parents by stage, if they are what a version at this address is made from.

    Each stage that it reads gives one version; a stage in partitions gives that of the same partition, or of each that
    goes into a stage of one piece.

    Raises:
        AccessRefused: one is missing, twice, or of another environment, project, stage or partition.
    """
    stage = Stage(address.stage)
    found: dict[Stage, list[Manifest]] = {parent: [] for parent in PARENTS[stage]}
    for manifest in parents:
        place, of = manifest.address, Stage(manifest.address.stage)
        here = (place.environment, place.project) == (address.environment, address.project)
        if not here or of not in found or (stage in PARTITIONED and place.partition != address.partition):
            raise AccessRefused(f"{address}: {place} is no parent of it")
        if any(other.address == place for other in found[of]):
            raise AccessRefused(f"{address}: names two versions of {place}")
        found[of].append(manifest)
    missing = [str(parent) for parent, manifests in found.items() if not manifests]
    if missing:
        raise AccessRefused(f"{address}: names no parent of the stage {', '.join(missing)}")
    return found


def require_labels(address: Address, labels: Mapping[str, Label], policy: Policy, parents: Parents) -> None:
    """Returns if every column belongs there and bears at least the label that its stage leaves of the parents'.

    Raises:
        AccessRefused: names the first column that does not; a name that the policy does not know is not repeated.
    """
    stage = Stage(address.stage)
    if stage is Stage.RAW and (missing := [name for name in policy.columns if name not in labels]):
        raise AccessRefused(f"{address}: lacks the declared columns {listed(missing)}")
    least = _least(stage, policy, parents)
    for name, label in labels.items():
        required = least(name)
        if required is None:
            raise AccessRefused(f"{address}: has a column that {stage} does not make")
        if not label.covers(required):
            known = f"column {name}" if name in policy.columns else "a column"
            raise AccessRefused(f"{address}: {known} bears less than the label that flows into it")


def _least(stage: Stage, policy: Policy, parents: Parents) -> Least:
    match stage:
        case Stage.RAW:
            return lambda name: declared_label(policy.columns[name]) if name in policy.columns else STRICTEST
        case Stage.CLASSIFIED:
            counted = DECLASSIFIERS["count"].lower(_all(parents[Stage.RAW]))
            return lambda name: counted
        case Stage.MASKED:
            (raw,) = parents[Stage.RAW]
            return lambda name: _suppressed(name, policy, raw.labels)
        case Stage.SPLIT:
            return lambda name: _split(name, policy, parents[Stage.MASKED])
        case Stage.TRAINED:
            read = readable_columns(stage, Stage.SPLIT, policy)
            return _artefact(_all(parents[Stage.SPLIT], columns=read))
        case Stage.VALIDATED:
            return _artefact(DECLASSIFIERS["aggregate"].lower(_all([m for of in parents.values() for m in of])))
        case Stage.REGISTERED:
            return _artefact(DECLASSIFIERS["card"].lower(_all([m for of in parents.values() for m in of])))


def _suppressed(name: str, policy: Policy, raw: Mapping[str, Label]) -> Label | None:
    """What is left of a column whose cells become missing by what other treated columns hold."""
    own = _masked(name, policy, raw)
    others = (_masked(other, policy, raw) for other in policy.suppressed_by(name))
    return None if own is None else join([own, *(label for label in others if label is not None)])


def _masked(name: str, policy: Policy, raw: Mapping[str, Label]) -> Label | None:
    """What the policy's treatment leaves of the raw column, and of those that it looks at beside."""
    column = policy.columns.get(name)
    if column is None or column.treatment.kind == "drop":
        return None
    label = join(raw.get(read, STRICTEST) for read in (name, *policy.beside(name)))
    declassifier = DECLASSIFIERS.get(column.treatment.kind)
    return label if declassifier is None else declassifier.lower(label)


def _split(name: str, policy: Policy, masked: Sequence[Manifest]) -> Label | None:
    if name in {PERIOD, SIDE}:
        return PUBLIC
    if name not in (readable_columns(Stage.SPLIT, Stage.MASKED, policy) or ()):
        return None
    return join(manifest.labels.get(name, STRICTEST) for manifest in masked)


def _artefact(label: Label) -> Least:
    return lambda name: label if name in ARTEFACTS.names else None


def _all(manifests: Sequence[Manifest], *, columns: Sequence[str] | None = None) -> Label:
    return join(m.labels[name] for m in manifests for name in m.labels if columns is None or name in columns)
