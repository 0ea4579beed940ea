"""Masking as a whole: rows, columns, counts, laziness."""

import datetime
import traceback

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from secure_ml.policy.labels import Identifiability
from secure_ml.protection.mask.masking import Masking, MaskingError, subject_tokens
from secure_ml.protection.mask.plan import Plan
from secure_ml.protection.mask.treatment import ColumnTreatment, Treated
from secure_ml.vault.dataset import Dataset
from secure_ml_tests.protection.mask.tables import COLUMNS, ROWS, column, key_for, policy, raw


def masked(**kwargs: object) -> tuple[Masking, Dataset]:
    masking = Masking(policy(), key_for=key_for)
    return masking, masking.apply(raw(**kwargs))


def test_every_column_is_treated_as_the_policy_says() -> None:
    first, second, third = masked()[1].read().to_pylist()
    assert first["customer"] == third["customer"] != second["customer"]
    assert first["aadhaar"] == third["aadhaar"] != second["aadhaar"]
    assert first["email"] == "[REDACTED]"
    assert second["email"] is None
    assert (first["phone"], second["phone"], third["phone"]) == ("+** ***** *3210", "***** ****", "*******3210")
    assert (first["account"], second["account"]) == ("************", "*******")
    assert (first["born"], second["born"], third["born"]) == (1990, None, 1990)
    assert (first["applied"], second["applied"], third["applied"]) == ("2024-02", None, "2024-03")
    assert (first["pin"], second["pin"], third["pin"]) == ("577", "577", "577")
    assert (first["income"], second["income"], third["income"]) == (120000.0, None, 45000.0)
    assert (first["score"], second["score"], third["score"]) == (710, None, 701)
    assert (first["employer"], second["employer"]) == ("Orchid Mills", None)
    assert (first["salaried"], second["salaried"], third["salaried"]) == (True, None, False)
    assert (first["approved"], second["approved"], third["approved"]) == (True, False, None)
    assert second["remark"] == "income verified"
    assert third["remark"] is None


def test_a_remark_is_scrubbed_of_what_the_row_says_elsewhere_even_in_dropped_columns() -> None:
    remark = masked()[1].read().to_pylist()[0]["remark"]
    assert remark == ("<PERSON_NAME> called from <PHONE>, aadhaar <AADHAAR>, mail <EMAIL>; lives <POSTAL_ADDRESS>.")


def test_columns_stand_in_the_policys_order_without_dropped_ones() -> None:
    names = [name for name, fields in COLUMNS.items() if fields["treatment"]["kind"] != "drop"]
    assert masked()[1].schema.names == names


def test_rows_without_consent_or_subject_do_not_get_through_and_are_counted() -> None:
    masking, dataset = masked()
    assert masking.summary() == {}
    assert dataset.read().num_rows == 3
    counts = dict(dataset.summary())
    assert {name: counts[name] for name in counts if not name.startswith("unknown.")} == {
        "rows_read": 6, "rows_masked": 3, "without_consent": 2, "without_subject": 1, "not_admitted": 0,
    }  # fmt: skip


def test_unknown_cells_are_counted_by_column() -> None:
    masking, dataset = masked()
    dataset.read()
    unknown = {name.removeprefix("unknown."): n for name, n in masking.summary().items() if n and "unknown." in name}
    assert unknown == {"phone": 1, "aadhaar": 1, "account": 1, "born": 1, "income": 1, "score": 1, "salaried": 1}


def test_counts_start_anew_with_each_pass_and_ignore_passes_left_early() -> None:
    masking, dataset = masked(batch_size=1)
    dataset.read()
    counts = masking.summary()
    next(dataset.scan())
    assert masking.summary() == counts
    one, other = dataset.scan(), dataset.scan(["score"])
    for left, right in zip(one, other, strict=True):
        assert left.num_rows == right.num_rows
    assert masking.summary() == counts


def test_a_pass_over_some_columns_gives_the_same_cells_and_counts() -> None:
    masking, dataset = masked()
    whole, counts = dataset.read(), masking.summary()
    assert dataset.read(["income", "customer"]).equals(whole.select(["income", "customer"]))
    assert masking.summary() == counts


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_how_a_table_is_cut_into_batches_does_not_matter(batch_size: int) -> None:
    masking, dataset = masked(batch_size=batch_size)
    whole_masking, whole = masked()
    assert dataset.read().combine_chunks().equals(whole.read().combine_chunks())
    assert masking.summary() == whole_masking.summary()


def test_only_admitted_subjects_get_through() -> None:
    token = subject_tokens(policy(), pa.array(["C-1001"]), key_for=key_for)[0]
    masking = Masking(policy(), key_for=key_for, admitted=lambda tokens: pc.not_equal(tokens, token))
    assert masking.apply(raw()).read()["approved"].to_pylist() == [False]
    assert masking.summary()["not_admitted"] == 2


def test_a_registry_that_does_not_know_admits_nobody() -> None:
    masking = Masking(policy(), key_for=key_for, admitted=lambda tokens: pa.nulls(len(tokens), pa.bool_()))
    assert masking.apply(raw()).read().num_rows == 0


def test_a_registry_that_answers_something_else_is_refused() -> None:
    masking = Masking(policy(), key_for=key_for, admitted=lambda tokens: pa.array([True]))
    with pytest.raises(MaskingError, match="registry"):
        masking.apply(raw()).read()


def test_consent_kept_in_masked_is_honoured_too() -> None:
    declared = policy({**COLUMNS, "agreed": column(category="internal", use="administrative")})
    read = Masking(declared, key_for=key_for).apply(raw(declared=declared)).read()
    assert read["agreed"].to_pylist() == ["Y", "Y", "Y"]


def test_labels_fall_by_the_declared_treatment_only() -> None:
    labels = masked()[1].labels
    levels = {name: label.identifiability for name, label in labels.items()}
    assert levels["customer"] is levels["aadhaar"] is Identifiability.PSEUDONYM
    assert levels["email"] is Identifiability.NONE
    assert levels["phone"] is Identifiability.QUASI
    assert levels["employer"] is Identifiability.QUASI
    assert levels["remark"] is Identifiability.DIRECT


def test_tables_with_types_of_their_own_are_masked_like_text() -> None:
    rows = [
        {
            "customer": 7, "phone": 9876543210.0, "aadhaar": 234123412346, "born": datetime.date(1990, 3, 25),
            "applied": datetime.datetime(2024, 2, 29, 23, 0), "pin": 577201, "income": 45001.5, "score": 710,
            "salaried": True, "agreed": True, "approved": 1, "remark": "call 9876543210", "employer": "Orchid",
        },
        {"customer": 8, "agreed": False},
        {"customer": 9, "agreed": True, "income": float("nan")},
    ]  # fmt: skip
    types = {
        "customer": pa.int64(), "phone": pa.float64(), "aadhaar": pa.int64(), "born": pa.date32(),
        "applied": pa.timestamp("ms"), "pin": pa.int32(), "income": pa.float64(), "score": pa.int16(),
        "salaried": pa.bool_(), "agreed": pa.bool_(), "approved": pa.int8(),
        "employer": pa.dictionary(pa.int8(), pa.string()), "remark": pa.large_string(),
    }  # fmt: skip
    declared = policy(label={"column": "approved", "positive": "1"}, consent={"column": "agreed", "granted": ["true"]})
    schema = pa.schema([(name, types.get(name, pa.string())) for name in declared.columns])
    masking = Masking(declared, key_for=key_for)
    first, second = masking.apply(raw(rows, declared, schema=schema)).read().to_pylist()
    assert first["phone"] == "******3210"
    assert (first["born"], first["applied"], first["pin"], first["income"]) == (1990, "2024-02", "577", 45000.0)
    assert (first["score"], first["salaried"], first["approved"]) == (710, True, True)
    assert (first["employer"], first["remark"]) == ("Orchid", "call <PHONE>")
    text = subject_tokens(declared, pa.array(["7"]), key_for=key_for)
    assert first["customer"] == text[0].as_py()
    assert [name for name, value in second.items() if value is not None] == ["customer"]
    assert sum(n for name, n in masking.summary().items() if name.startswith("unknown.")) == 0


def test_a_label_that_cannot_be_read_is_unknown_and_not_negative() -> None:
    declared = policy(
        {**COLUMNS, "approved": column("integer", use="administrative")}, label={"column": "approved", "positive": "1"}
    )
    rows = [{**ROWS[0], "approved": text} for text in ("1", "1.0", "0", "?", "")]
    masking = Masking(declared, key_for=key_for)
    assert masking.apply(raw(rows, declared)).read()["approved"].to_pylist() == [True, True, False, None, None]
    assert masking.summary()["unknown.approved"] == 1


def test_raw_without_a_column_is_refused_by_its_name() -> None:
    with pytest.raises(MaskingError, match="income"):
        Masking(policy(), key_for=key_for).apply(raw().select([n for n in COLUMNS if n != "income"]))


def test_raw_with_a_nested_column_is_refused_by_its_name() -> None:
    schema = pa.schema([(name, pa.list_(pa.string()) if name == "pin" else pa.string()) for name in COLUMNS])
    with pytest.raises(MaskingError, match="column pin"):
        Masking(policy(), key_for=key_for).apply(raw([], schema=schema))


def test_a_column_that_the_policy_does_not_declare_does_not_get_through() -> None:
    wider = policy({**COLUMNS, "salary_note": column()})
    assert "salary_note" not in Masking(policy(), key_for=key_for).apply(raw(declared=wider)).schema.names


def test_an_error_of_a_library_is_replaced_by_one_without_the_cell() -> None:
    class Broken(ColumnTreatment):
        output_type, beside = pa.int64(), ()

        def apply(self, values: pa.Array, *beside: pa.Array) -> Treated:
            return Treated(values.cast(pa.int64()), 0)

    masking = Masking(policy(), key_for=key_for)
    masking._plan = Plan({"employer": Broken()})
    with pytest.raises(MaskingError, match="column employer") as refused:
        masking.apply(raw()).read()
    assert "Orchid" not in "".join(traceback.format_exception(refused.value))


def test_a_table_without_rows_gives_none() -> None:
    masking, dataset = masked(rows=[])
    assert dataset.read().num_rows == 0
    assert masking.summary()["rows_read"] == 0


def test_batches_of_which_nobody_gets_through_are_treated_like_others() -> None:
    masking, dataset = masked(rows=ROWS[3:])
    assert dataset.read().num_rows == 0
    assert masking.summary()["rows_read"] == 3


def test_keys_are_asked_for_by_purpose_before_any_data_is_read() -> None:
    asked: list[str] = []

    def remember(purpose: str) -> bytes:
        asked.append(purpose)
        return bytes(32)

    Masking(policy(), key_for=remember)
    assert asked == ["token:subject_id", "token:aadhaar"]
