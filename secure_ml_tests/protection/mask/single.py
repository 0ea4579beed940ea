"""One column under one treatment, as the plan of an invented policy builds it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from secure_ml.policy.project import Policy
from secure_ml.protection.mask.forms import count_untreated
from secure_ml.protection.mask.plan import make_plan
from secure_ml.protection.mask.treatment import ColumnTreatment, Treated
from secure_ml_tests.protection.mask.tables import COLUMNS, column, key_for, policy

Cells = Sequence[Any]


def policy_with(treatment: Mapping[str, Any], *, kind: str = "string", entity: str = "none", **changes: Any) -> Policy:
    """The invented policy with one more column, `x`."""
    return policy({**COLUMNS, "x": column(kind, treatment, entity=entity)}, **changes)


def treatment_of(declared: Policy, *, key_for: Any = key_for, name: str = "x") -> ColumnTreatment:
    return make_plan(declared, key_for=key_for).treatments[name]


def treat(declared: Policy, cells: Cells, *beside: Cells, key_for: Any = key_for, name: str = "x") -> Treated:
    """What becomes of the cells; their form is always one that the inspection accepts."""
    columns = [pa.array(each, None if len(each) else pa.string()) for each in (cells, *beside)]
    treatment = treatment_of(declared, key_for=key_for, name=name)
    treated = treatment.apply(*(pa.array(c, pa.string()) if pa.types.is_null(c.type) else c for c in columns))
    spec = declared.columns[name]
    assert treated.values.type == treatment.output_type
    assert len(treated.values) == len(cells)
    assert count_untreated(treated.values, spec.treatment, spec.entity) == 0
    return treated
