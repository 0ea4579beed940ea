"""Names: asset keys, partitions, owners and tags of a project, as Dagster shows them.

Belongs here: what is derived from a policy for every asset alike. Must stay out: what an asset does.
"""

import dagster as dg

from secure_ml.access.stages import Stage
from secure_ml.policy.project import Policy
from secure_ml.policy.source import MonthlyPartitions, StaticPartitions


def asset_key(environment: str, project: str, stage: Stage) -> dg.AssetKey:
    """environment/project/stage."""
    return dg.AssetKey([str(environment), project, str(stage)])


def partitions_of(policy: Policy) -> dg.PartitionsDefinition[str] | None:
    """Dagster's partitions for the policy's; None for a table of one piece. Keys are the policy's own."""
    partitions = policy.source.partitions
    if isinstance(partitions, MonthlyPartitions):
        end = None if partitions.end is None else _month_after(partitions.end)
        return dg.MonthlyPartitionsDefinition(start_date=partitions.start, end_date=end, fmt="%Y-%m")
    if isinstance(partitions, StaticPartitions):
        return dg.StaticPartitionsDefinition(list(partitions.keys))
    return None


def known_partitions(policy: Policy) -> tuple[str, ...]:
    """The partition keys that there are by now, in time order; one empty key for a table of one piece."""
    definition = partitions_of(policy)
    return ("",) if definition is None else tuple(definition.get_partition_keys())


def _month_after(month: str) -> str:
    number = int(month[:4]) * 12 + int(month[5:])
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
