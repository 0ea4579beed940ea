"""When Dagster materialises a stage by itself, and when it starts a run again.

Belongs here: automation conditions, the switch that turns them on, retries. Must stay out: schedules of people.
"""

from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg

RETRIED_WHEN_LOST: Mapping[str, str] = MappingProxyType({"dagster/max_retries": "2"})
"""Tags of a run that spends nothing: when its process is lost, it is started again."""

NEVER_RETRIED: Mapping[str, str] = MappingProxyType({"dagster/max_retries": "0"})
"""Tags of a run that spends privacy budget: people start it."""


def when_inputs_pass() -> dg.AutomationCondition[dg.AssetKey]:
    """As soon as an input is new, for every partition and not only the latest, once the inputs' checks have passed."""
    latest_only = dg.AutomationCondition.in_latest_time_window()
    checked = dg.AutomationCondition.all_deps_blocking_checks_passed()
    return dg.AutomationCondition.eager().without(latest_only) & checked


def protect_new_data(project: str) -> dg.AutomationConditionSensorDefinition:
    """The project's switch: it is off until a person turns it on."""
    return dg.AutomationConditionSensorDefinition(
        f"{project}__protect_new_data",
        target=dg.AssetSelection.groups(project),
        description=(
            "While this is on, a new partition of raw that has passed its checks is classified and masked by itself."
            " Training is always started by a person: it spends privacy budget."
        ),
        default_status=dg.DefaultSensorStatus.STOPPED,
        run_tags=RETRIED_WHEN_LOST,
    )
