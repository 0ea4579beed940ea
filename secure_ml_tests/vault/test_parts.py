"""What lies in a part, seen by plain pyarrow with some keys and by a reader of bytes with none."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from secure_ml.keys.column_keys import FOOTER, column_key_id, keys_of_columns
from secure_ml.keys.context import KeyContext
from secure_ml.keys.envelope import seal, unseal
from secure_ml.vault import committed_file, parts
from secure_ml.vault.committed_file import verify_file
from secure_ml.vault.dataset import DatasetError
from secure_ml.vault.errors import AccessRefused, Tampered, UnknownFormat
from secure_ml.vault.labels import PUBLIC
from secure_ml.vault.manifest import Part
from secure_ml.vault.parts import PartWriter, part_file, read_part
from secure_ml_tests.fakes.masked_table import LABELS, SCHEMA, masked_table

CATEGORIES = (FOOTER, "pii", "financial", "health", "internal")
CONTEXTS = {name: KeyContext("training", "clinic", "f" * 32, "data", 0, name) for name in CATEGORIES}
KEYS = {context: bytes([number]) * 32 for number, context in enumerate(CONTEXTS.values())}


def write(folder: Path, rows: int = 40, *, row_group_rows: int = 50_000) -> Part:
    writer = PartWriter(
        folder, schema=SCHEMA, labels=LABELS, keys=KEYS, section="data", bucket=0, row_group_rows=row_group_rows
    )
    for batch in masked_table(rows).scan():
        writer.write(batch)
    return writer.close()


def keys_of(*columns: str) -> dict[str, bytes]:
    """What a reader of these columns is given."""
    return keys_of_columns(KEYS, {name: LABELS[name].key_category for name in columns})


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
        return base64.b64encode(
            seal(self._keys[master_key_identifier], key_bytes, context=master_key_identifier.encode())
        )

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


@pytest.mark.parametrize("column", SCHEMA.names)
def test_plain_pyarrow_with_a_columns_key_opens_that_column_and_no_other(tmp_path: Path, column: str) -> None:
    part = write(tmp_path)
    file = opened_by_plain_pyarrow(tmp_path / part.file, keys_of(column), {})
    (batch,) = file.iter_batches(columns=[column], use_threads=False)
    assert batch[column].to_pylist() == masked_table().read()[column].to_pylist()
    for name in SCHEMA.names:
        if name != column:
            other = opened_by_plain_pyarrow(tmp_path / part.file, keys_of(column), {})
            with pytest.raises(LookupError):
                list(other.iter_batches(columns=[name], use_threads=False))


def test_a_key_encryption_key_opens_no_column_by_itself(tmp_path: Path) -> None:
    part = write(tmp_path)
    keys = keys_of() | {column_key_id(CONTEXTS["financial"], "income"): KEYS[CONTEXTS["financial"]]}
    with pytest.raises(Tampered, match="cannot be decrypted"):
        read(tmp_path, part, ["income"], keys)


def test_without_the_footers_key_nothing_opens(tmp_path: Path) -> None:
    part = write(tmp_path)
    with pytest.raises(LookupError):
        opened_by_plain_pyarrow(
            tmp_path / part.file,
            {i: key for i, key in keys_of(*SCHEMA.names).items() if i != CONTEXTS[FOOTER].key_id},
            {},
        )


def test_without_any_key_pyarrow_opens_nothing(tmp_path: Path) -> None:
    part = write(tmp_path)
    with pytest.raises((OSError, pa.ArrowInvalid)):
        pq.ParquetFile(tmp_path / part.file)


def test_every_data_key_has_256_bits(tmp_path: Path) -> None:
    part = write(tmp_path)
    seen: dict[str, int] = {}
    file = opened_by_plain_pyarrow(tmp_path / part.file, keys_of(*SCHEMA.names), seen)
    list(file.iter_batches(use_threads=False))
    assert seen == dict.fromkeys((FOOTER, *SCHEMA.names), 32)


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
    assert footer_material["masterKeyID"] == CONTEXTS[FOOTER].key_id
    assert footer_material["doubleWrapping"] is False
    assert not [key for key in (*KEYS.values(), *keys_of(*SCHEMA.names).values()) if key in content]


def test_no_statistics_are_written(tmp_path: Path) -> None:
    part = write(tmp_path)
    file = opened_by_plain_pyarrow(tmp_path / part.file, keys_of(*SCHEMA.names), {})
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
        assert read(folder, part, SCHEMA.names, keys_of(*SCHEMA.names)).equals(masked_table(100).read())


def test_columns_come_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    part = write(tmp_path)
    table = read(tmp_path, part, ["approved", "income"], keys_of("income", "approved"))
    assert table.column_names == ["approved", "income"]


def test_a_column_whose_key_was_not_released_is_refused(tmp_path: Path) -> None:
    part = write(tmp_path)
    with pytest.raises(AccessRefused):
        read(tmp_path, part, ["income", "diagnosis"], keys_of("income"))


def test_another_places_keys_are_refused_even_with_the_same_bytes_on_disk(tmp_path: Path) -> None:
    part = write(tmp_path)
    wrong = {key_id: bytes(32) for key_id in keys_of(*SCHEMA.names)}
    with pytest.raises(Tampered, match=part.file):
        read(tmp_path, part, ["income"], wrong)


def test_a_wrong_number_of_rows_is_refused(tmp_path: Path) -> None:
    part = write(tmp_path)
    file = verify_file(tmp_path / part.file, size_bytes=part.size_bytes, sha256=part.sha256)
    rows = read_part(file, schema=SCHEMA, columns=["income"], rows=41, keys=keys_of("income"))
    with pytest.raises(Tampered, match="number of rows"):
        list(rows)


def test_pyarrow_touches_a_part_in_the_callers_thread_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of pyarrow's that holds something of Python's while the interpreter ends would abort the process."""
    threads: dict[str, set[int]] = {}

    def watch(owner: type, name: str) -> None:
        real = getattr(owner, name)

        def watched(self: object, *arguments: object) -> object:
            threads.setdefault(name, set()).add(threading.get_ident())
            return real(self, *arguments)

        monkeypatch.setattr(owner, name, watched)

    watch(committed_file._CommittedBytes, "read")
    watch(parts._NewFile, "write")
    watch(parts._ReleasedKeys, "unwrap_key")
    part = write(tmp_path, 400, row_group_rows=50)
    assert read(tmp_path, part, SCHEMA.names, keys_of(*SCHEMA.names)).num_rows == 400
    own = {threading.get_ident()}
    assert threads == {"read": own, "write": own, "unwrap_key": own}


def test_nothing_stands_under_the_parts_name_before_it_is_complete(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, schema=SCHEMA, labels=LABELS, keys=KEYS, section="data", bucket=0, row_group_rows=1)
    for batch in masked_table().scan():
        writer.write(batch)
    assert not (tmp_path / part_file("data", 0)).exists()
    writer.abandon()
    writer.abandon()
    assert not (tmp_path / part_file("data", 0)).exists()


def test_a_file_put_in_the_parts_place_while_it_is_written_is_not_committed_as_ours(tmp_path: Path) -> None:
    writer = PartWriter(
        tmp_path, schema=SCHEMA, labels=LABELS, keys=KEYS, section="data", bucket=0, row_group_rows=50_000
    )
    writer.write(masked_table().read().combine_chunks().to_batches()[0])
    pq.write_table(masked_table().read(), tmp_path / "plain")
    (tmp_path / "plain").replace(tmp_path / f".{part_file('data', 0)}.partial")
    part = writer.close()
    with pytest.raises(Tampered, match="not the file that was committed"):
        read(tmp_path, part, ["income"], keys_of("income"))


def test_a_part_is_written_over_no_other_file(tmp_path: Path) -> None:
    (tmp_path / f".{part_file('data', 0)}.partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mark", [None, "secure_ml/part/1", "secure_ml/part/3"])
def test_a_part_of_another_format_is_refused_as_such(tmp_path: Path, mark: str | None) -> None:
    """Format 1 had one key for each category, and no mark."""
    keys = {context.key_id: key for context, key in KEYS.items()} | keys_of(*SCHEMA.names)
    ids = {name: CONTEXTS[LABELS[name].key_category].key_id for name in SCHEMA.names}
    by_category = {key_id: [name for name in ids if ids[name] == key_id] for key_id in ids.values()}
    configuration = pe.EncryptionConfiguration(
        footer_key=CONTEXTS[FOOTER].key_id, column_keys=by_category, plaintext_footer=False, double_wrapping=False,
        encryption_algorithm="AES_GCM_V1", data_key_length_bits=256,
    )  # fmt: skip
    factory = pe.CryptoFactory(lambda _configuration: Unwrapping(keys, {}))
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), configuration)
    path, table = tmp_path / part_file("data", 0), masked_table().read()
    with pq.ParquetWriter(path, SCHEMA, encryption_properties=properties) as writer:
        writer.write_table(table)
        if mark is not None:
            writer.add_key_value_metadata({"format": mark})
    content = path.read_bytes()
    part = Part("data", 0, path.name, len(content), hashlib.sha256(content).hexdigest(), table.num_rows)
    with pytest.raises(UnknownFormat, match="materialise its version again"):
        read(tmp_path, part, ["income"], keys_of("income"))


def test_columns_of_any_name_come_back(tmp_path: Path) -> None:
    names = ["a,b", "a;b:c", "v1/x/pii", "p.q", "%2C", "a%2Cb", " x ", "आ", "\n", "n" * 10_000]
    schema = pa.schema([pa.field(name, pa.int64()) for name in names])
    labels = dict.fromkeys(names, PUBLIC)
    writer = PartWriter(tmp_path, schema=schema, labels=labels, keys=KEYS, section="data", bucket=0, row_group_rows=1)
    table = pa.table([pa.array([number, None]) for number in range(len(names))], schema=schema)
    for batch in table.to_batches():
        writer.write(batch)
    part = writer.close()
    file = verify_file(tmp_path / part.file, size_bytes=part.size_bytes, sha256=part.sha256)
    for name in names:
        keys = keys_of_columns(KEYS, {name: "internal"})
        (batch,) = read_part(file, schema=schema, columns=[name], rows=2, keys=keys)
        assert batch.schema.names == [name]
        assert batch[name].equals(table[name].combine_chunks())


@pytest.mark.parametrize(
    ("field", "advice"),
    [
        # Its leaves have names that the list of keys does not have: they would stay in clear.
        (pa.field("diagnosis", pa.struct([("code", pa.string())])), "make it flat"),
        (pa.field("", pa.string()), "give it one"),
    ],
)
def test_a_column_that_could_not_be_encrypted_is_refused(tmp_path: Path, field: pa.Field, advice: str) -> None:
    with pytest.raises(DatasetError, match=advice):
        PartWriter(
            tmp_path, schema=pa.schema([field]), labels={field.name: PUBLIC}, keys=KEYS, section="data", bucket=0,
            row_group_rows=1,
        )  # fmt: skip
    assert not list(tmp_path.iterdir())
