"""All that knows Dagster: components, assets, checks, the IO manager, resources, schedules of work.

Belongs here: the translation between stages and Dagster. Must stay out: what a stage does to data.
"""

from secure_ml.orchestration.component import SensitiveModel

__all__ = ["SensitiveModel"]
