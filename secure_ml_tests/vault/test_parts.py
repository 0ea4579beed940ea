"""What lies in a part, seen by plain pyarrow with some keys and by a reader of bytes with none."""

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from secure_ml.keys.context import KeyContext
from secure_ml.keys.envelope import unseal
from secure_ml.vault.committed_file import verify_file
from secure_ml.vault.dataset import DatasetError
from secure_ml.vault.errors import AccessRefused, Tampered
from secure_ml.vault.manifest import Part
from secure_ml.vault.parts import PartWriter, part_file, read_part, stored_name
from secure_ml_tests.fakes.masked_table import LABELS, SCHEMA, masked_table

CATEGORIES = ("footer", "pii", "financial", "health", "internal")
CONTEXTS = {name: KeyContext("training", "clinic", "f" * 32, "data", 0, name) for name in CATEGORIES}
KEYS = {context: bytes([number]) * 32 for number, context in enumerate(CONTEXTS.values())}


def write(folder: Path, rows: int = 40, *, row_group_rows: int = 50_000) -> Part:
    writer = PartWriter(
        folder, schema=SCHEMA, labels=LABELS, contexts=CONTEXTS, keys=KEYS, section="data", bucket=0,
        row_group_rows=row_group_rows,
    )  # fmt: skip
    for batch in masked_table(rows).scan():
        writer.write(batch)
    return writer.close()


def key_bytes(*categories: str) -> dict[str, bytes]:
    return {CONTEXTS[name].key_id: KEYS[CONTEXTS[name]] for name in categories}


def read(folder: Path, part: Part, columns: list[str], keys: Mapping[str, bytes]) -> pa.Table:
    file = verify_file(folder / part.file, size_bytes=part.size_bytes, sha256=part.sha256)
    batches = read_part(file, schema=SCHEMA, columns=columns, rows=part.rows, keys=keys)
    return pa.Table.from_batches(batches, schema=pa.schema([SCHEMA.field(name) for name in columns]))


class Unwrapping(pe.KmsClient):
    """What anybody writes who has some of the keys; remembers the data keys it was asked for."""

    def __init__(self, keys: Mapping[str, bytes], seen: dict[str, int]) -> None:
        pe.KmsClient.__init__(self)
        self._keys, self._seen = keys, seen

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        raise NotImplementedError

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        if master_key_identifier not in self._keys:
            raise LookupError
        wrapped = base64.b64decode(wrapped_key)
        key = unseal(self._keys[master_key_identifier], wrapped, context=master_key_identifier.encode())
        self._seen[master_key_identifier.rsplit("/", 1)[1]] = len(key)
        return key


def opened_by_plain_pyarrow(path: Path, keys: Mapping[str, bytes], seen: dict[str, int]) -> pq.ParquetFile:
    factory = pe.CryptoFactory(lambda _configuration: Unwrapping(keys, seen))
    properties = factory.file_decryption_properties(pe.KmsConnectionConfig())
    file = pq.ParquetFile(path, decryption_properties=properties)
    file.factory = factory
    return file


def test_plain_pyarrow_with_some_categories_keys_opens_only_their_columns(tmp_path: Path) -> None:
    part = write(tmp_path)
    keys = key_bytes("footer", "financial")
    file = opened_by_plain_pyarrow(tmp_path / part.file, keys, {})
    (batch,) = file.iter_batches(columns=["income"], use_threads=False)
    assert batch["income"].to_pylist() == masked_table().read()["income"].to_pylist()
    for column in ("member_id", "gender", "diagnosis", "region"):
        other = opened_by_plain_pyarrow(tmp_path / part.file, keys, {})
        with pytest.raises(LookupError):
            list(other.iter_batches(columns=[column], use_threads=False))


def test_without_the_footers_key_nothing_opens(tmp_path: Path) -> None:
    part = write(tmp_path)
    with pytest.raises(LookupError):
        opened_by_plain_pyarrow(tmp_path / part.file, key_bytes("pii", "financial", "health", "internal"), {})


def test_without_any_key_pyarrow_opens_nothing(tmp_path: Path) -> None:
    part = write(tmp_path)
    with pytest.raises((OSError, pa.ArrowInvalid)):
        pq.ParquetFile(tmp_path / part.file)


def test_every_data_key_has_256_bits(tmp_path: Path) -> None:
    part = write(tmp_path)
    seen: dict[str, int] = {}
    file = opened_by_plain_pyarrow(tmp_path / part.file, key_bytes(*CATEGORIES), seen)
    list(file.iter_batches(use_threads=False))
    assert seen == dict.fromkeys(CATEGORIES, 32)


def test_footer_is_encrypted_and_the_algorithm_is_gcm_throughout(tmp_path: Path) -> None:
    part = write(tmp_path)
    content = (tmp_path / part.file).read_bytes()
    # PARE marks an encrypted footer, PAR1 a plaintext one.
    assert (content[:4], content[-4:]) == (b"PARE", b"PARE")
    length = int.from_bytes(content[-8:-4], "little")
    # FileCryptoMetaData, thrift compact: field 1 is the algorithm's union, in which field 1 is AES_GCM_V1, 2 GCM_CTR.
    assert content[-8 - length : -8 - length + 2] == b"\x1c\x1c"


def test_key_material_names_its_place_and_holds_no_key(tmp_path: Path) -> None:
    part = write(tmp_path)
    content = (tmp_path / part.file).read_bytes()
    footer_material = json.loads(re.findall(rb'\{"[ -z|~]*\}', content)[-1])
    assert footer_material["masterKeyID"] == CONTEXTS["footer"].key_id
    assert footer_material["doubleWrapping"] is False
    assert not [key for key in KEYS.values() if key in content]


def test_no_statistics_are_written(tmp_path: Path) -> None:
    part = write(tmp_path)
    file = opened_by_plain_pyarrow(tmp_path / part.file, key_bytes(*CATEGORIES), {})
    group = file.metadata.row_group(0)
    for number in range(group.num_columns):
        column = group.column(number)
        assert not column.is_stats_set
        assert not column.has_column_index
        assert not column.has_offset_index


def test_one_part_has_as_many_rows_as_batches_brought_however_they_are_grouped(tmp_path: Path) -> None:
    for number, row_group_rows in enumerate((1, 17, 1_000)):
        folder = tmp_path / str(number)
        folder.mkdir()
        part = write(folder, 100, row_group_rows=row_group_rows)
        assert part.rows == 100
        assert read(folder, part, SCHEMA.names, key_bytes(*CATEGORIES)).equals(masked_table(100).read())


def test_columns_come_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    part = write(tmp_path)
    table = read(tmp_path, part, ["approved", "income"], key_bytes("footer", "financial", "internal"))
    assert table.column_names == ["approved", "income"]


def test_a_column_whose_key_was_not_released_is_refused(tmp_path: Path) -> None:
    part = write(tmp_path)
    with pytest.raises(AccessRefused):
        read(tmp_path, part, ["income", "diagnosis"], key_bytes("footer", "financial"))


def test_another_places_keys_are_refused_even_with_the_same_bytes_on_disk(tmp_path: Path) -> None:
    part = write(tmp_path)
    wrong = {key_id: bytes(32) for key_id in key_bytes(*CATEGORIES)}
    with pytest.raises(Tampered, match=part.file):
        read(tmp_path, part, ["income"], wrong)


def test_a_wrong_number_of_rows_is_refused(tmp_path: Path) -> None:
    part = write(tmp_path)
    file = verify_file(tmp_path / part.file, size_bytes=part.size_bytes, sha256=part.sha256)
    rows = read_part(file, schema=SCHEMA, columns=["income"], rows=41, keys=key_bytes("footer", "financial"))
    with pytest.raises(Tampered, match="number of rows"):
        list(rows)


def test_nothing_stands_under_the_parts_name_before_it_is_complete(tmp_path: Path) -> None:
    writer = PartWriter(
        tmp_path, schema=SCHEMA, labels=LABELS, contexts=CONTEXTS, keys=KEYS, section="data", bucket=0,
        row_group_rows=1,
    )  # fmt: skip
    for batch in masked_table().scan():
        writer.write(batch)
    assert not (tmp_path / part_file("data", 0)).exists()
    writer.abandon()
    writer.abandon()
    assert not (tmp_path / part_file("data", 0)).exists()


def test_a_nested_column_is_refused_because_its_leaves_would_stay_in_clear(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("diagnosis", pa.struct([("code", pa.string())]))])
    with pytest.raises(DatasetError, match="make it flat"):
        PartWriter(
            tmp_path, schema=schema, labels=LABELS, contexts=CONTEXTS, keys=KEYS, section="data", bucket=0,
            row_group_rows=1,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        ("income", "income"),
        ("a,b", "a%2Cb"),
        ("a%2Cb", "a%252Cb"),
        ("p.q", "p%2Eq"),
        (" x", "%20x"),
        ("आ", "%E0%A4%86"),
    ],
)
def test_a_columns_stored_name_keeps_to_letters_that_no_list_is_split_at(column: str, stored: str) -> None:
    assert stored_name(column) == stored
