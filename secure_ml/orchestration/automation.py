"""When Dagster materialises a stage by itself.

Belongs here: automation conditions. Must stay out: schedules of people.
"""

import dagster as dg


def when_inputs_pass() -> dg.AutomationCondition[dg.AssetKey]:
    """As soon as an input is new, for every partition and not only the latest, once the inputs' checks have passed."""
    latest_only = dg.AutomationCondition.in_latest_time_window()
    checked = dg.AutomationCondition.all_deps_blocking_checks_passed()
    return dg.AutomationCondition.eager().without(latest_only) & checked
