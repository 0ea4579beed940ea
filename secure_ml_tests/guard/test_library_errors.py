"""What libraries say of a cell that they cannot use: raised for real, and told with no cell in any way that it is told.

The cell is a bare name, which no pattern of identifiers knows: only the library's own words give it away.
"""

import ast
import datetime
import enum
import io
import ipaddress
import traceback
from collections.abc import Callable
from pathlib import Path

import dateutil.parser
import matplotlib.colors
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pydantic
import pytest
import sqlalchemy as sa
import yaml
from fairlearn.metrics import MetricFrame
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from secure_ml.guard.errors import describe, trace
from secure_ml.guard.lines import LineRedactor
from secure_ml.guard.redaction import Redactor

CELL = "Zorblax Quillfeather"
FRAME = pd.DataFrame({"a": [1]})
CELLS = pd.Series([CELL])


class Person(pydantic.BaseModel):
    age: int


def insert_twice() -> None:
    with sa.create_engine("sqlite://").begin() as connection:
        connection.execute(sa.text("create table people (name text unique)"))
        for _ in range(2):
            connection.execute(sa.text("insert into people values (:name)"), {"name": CELL})


def query(statement: str) -> None:
    with sa.create_engine("sqlite://").begin() as connection:
        connection.execute(sa.text(statement))


def read_csv(content: str, **types: pa.DataType) -> None:
    pacsv.read_csv(io.BytesIO(content.encode()), convert_options=pacsv.ConvertOptions(column_types=types))


def expect_a_set() -> None:
    import great_expectations as gx

    sources = gx.get_context(mode="ephemeral").data_sources
    definition = sources.add_pandas("x").add_dataframe_asset("x").add_batch_definition_whole_dataframe("x")
    batch = definition.get_batch(batch_parameters={"dataframe": pd.DataFrame({"a": [CELL, "b"]})})
    found = batch.validate(gx.expectations.ExpectColumnValuesToBeInSet(column="a", value_set=["b"]))
    raise RuntimeError(f"the check failed: {found}")


RAISING: dict[str, Callable[[], object]] = {
    "pandas: float": lambda: CELLS.astype(float),
    "pandas: int": lambda: CELLS.astype(int),
    "pandas: to_numeric": lambda: pd.to_numeric(CELLS),
    "pandas: to_datetime": lambda: pd.to_datetime(CELLS),
    "pandas: a format": lambda: pd.to_datetime(CELLS, format="%Y"),
    "pandas: timestamp": lambda: pd.Timestamp(CELL),
    "pandas: label": lambda: CELLS.loc[CELL],
    "pandas: column": lambda: FRAME[CELL],
    "pandas: columns": lambda: FRAME[[CELL]],
    "pandas: drop": lambda: FRAME.drop(columns=[CELL]),
    "pandas: category": lambda: pd.Categorical(["a"]).__setitem__(0, CELL),
    "pandas: nullable": lambda: pd.array([1], dtype="Int64").__setitem__(0, CELL),
    "pandas: slice": lambda: pd.Series([1, 2], index=[1, 2])[CELL:],
    "pandas: insert": lambda: pd.DataFrame({CELL: [1]}).insert(0, CELL, 1),
    "pandas: merge": lambda: pd.DataFrame({CELL: [1]}).merge(pd.DataFrame({CELL: ["x"]}), on=CELL),
    "pandas: query": lambda: FRAME.query(CELL),
    "pandas: duplicates": lambda: pd.concat([pd.Series([1], index=[CELL])] * 2, verify_integrity=True),
    "pandas: map": lambda: CELLS.map(int),
    "pandas: mean": lambda: CELLS.mean(),
    "pandas: read_csv": lambda: pd.read_csv(io.StringIO(f"a\n{CELL}\n"), dtype={"a": int}),
    "numpy: float": lambda: np.array([CELL]).astype(float),
    "numpy: datetime": lambda: np.datetime64(CELL),
    "numpy: dtype": lambda: np.dtype(CELL),
    "pyarrow: cast": lambda: pa.array([CELL]).cast(pa.int64()),
    "pyarrow: mixed": lambda: pa.array([1, CELL]),
    "pyarrow: scalar": lambda: pa.scalar(CELL, pa.int64()),
    "pyarrow: strptime": lambda: pc.strptime(pa.array([CELL]), format="%Y", unit="s"),
    "pyarrow: column": lambda: pa.table({"a": [1]}).column(CELL),
    "pyarrow: csv type": lambda: read_csv(f"a\n1\n{CELL}\n", a=pa.int64()),
    "pyarrow: csv row": lambda: read_csv(f"a\n1\n{CELL},2\n"),
    "scikit-learn: one-hot": lambda: OneHotEncoder().fit([["a"]]).transform([[CELL]]),
    "scikit-learn: ordinal": lambda: OrdinalEncoder().fit([["a"]]).transform([[CELL]]),
    "scikit-learn: float": lambda: LogisticRegression().fit([[CELL], ["b"]], [0, 1]),
    "scikit-learn: impute": lambda: SimpleImputer().fit([[CELL], ["b"]]),
    "scikit-learn: label": lambda: f1_score(["a", CELL], ["a", CELL]),
    "scikit-learn: names": lambda: StandardScaler().fit(pd.DataFrame({CELL: [1.0]})).transform(FRAME),
    "fairlearn": lambda: MetricFrame(
        metrics=accuracy_score, y_true=[CELL, "a"], y_pred=[1, 2], sensitive_features=["a", "b"]
    ),
    "sqlalchemy: unique": insert_twice,
    "sqlalchemy: statement": lambda: query(f"select '{CELL}' from nowhere"),
    "sqlalchemy: table": lambda: query(f'select * from "{CELL}"'),
    "pydantic": lambda: Person(age=CELL),  # type: ignore[arg-type]
    "yaml": lambda: yaml.safe_load(f"a: [{CELL}"),
    "dateutil": lambda: dateutil.parser.parse(CELL),
    "matplotlib": lambda: matplotlib.colors.to_rgba(CELL),
    "great_expectations": expect_a_set,
    "python: int": lambda: int(CELL),
    "python: float": lambda: float(CELL),
    "python: key": lambda: {}[CELL],
    "python: index": lambda: ["a"].index(CELL),
    "python: date": lambda: datetime.date.fromisoformat(CELL),
    "python: strptime": lambda: datetime.datetime.strptime(f"2020{CELL}", "%Y"),
    "python: encoding": lambda: f"{CELL}\u0968".encode("ascii"),
    "python: enumeration": lambda: enum.Enum("Kind", "a")(CELL),
    "python: address": lambda: ipaddress.ip_address(CELL),
    "python: literal": lambda: ast.literal_eval(CELL),
    "python: attribute": lambda: getattr(object(), CELL),
    "python: file": lambda: Path(f"/nonexistent/{CELL}").read_text(),
}


@pytest.fixture(params=RAISING.values(), ids=RAISING)
def error(request: pytest.FixtureRequest) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error is described
        request.param()
    assert CELL.split()[0] in f"{caught.value}{caught.value!r}", "this library does not quote the cell"
    return caught.value


def test_its_description_holds_no_cell(error: BaseException) -> None:
    assert "Zorblax" not in describe(error) + trace(error)


def test_its_printed_trace_holds_no_cell(error: BaseException) -> None:
    lines = LineRedactor(Redactor().redact)
    printed = "".join(traceback.format_exception(error))
    assert "Zorblax" not in lines.feed(printed) + lines.finish()


def test_its_name_and_text_together_hold_no_cell(error: BaseException) -> None:
    told = "".join(traceback.format_exception_only(error))
    assert "Zorblax" not in Redactor().redact(told)
    assert "Zorblax" not in Redactor().redact(f"it failed: {type(error).__name__}: {error}")
