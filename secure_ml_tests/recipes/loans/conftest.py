from typing import Any

import pyarrow as pa
import pytest

from secure_ml.recipes.loans import generate_loans


@pytest.fixture(scope="session")
def applications() -> Any:
    """The shipped table, as a pandas frame of text with its month; missing cells are None."""
    batches = list(generate_loans(rows=24_000, months=12, seed=2024))
    frame = pa.Table.from_batches([batch for _, batch in batches]).to_pandas()
    frame["month"] = [month for month, batch in batches for _ in range(batch.num_rows)]
    return frame
