"""Parts: encrypted Parquet files, written and read with keys that the kernel released. See docs/formats/part.md.

Belongs here: Parquet Modular Encryption with the settings that make it hold. Must stay out: which keys, and whether.

What PME alone does not catch (measured): a plaintext file in place of an encrypted one, an older file under the same
key, and columns left out of the key list, which stay in clear. Hence every leaf column is listed, under a name that the
list's syntax cannot break and a key of its own, and the bytes that are parsed are those whose SHA-256 stands in the
signed manifest.
"""

import base64
import contextlib
import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from secure_ml.keys.column_keys import FOOTER, column_key_id, encoded_name, keys_of_columns
from secure_ml.keys.context import KeyContext
from secure_ml.keys.envelope import seal, unseal
from secure_ml.keys.errors import KeyServiceError
from secure_ml.vault.committed_file import CommittedFile
from secure_ml.vault.content_digest import ContentDigest
from secure_ml.vault.dataset import DatasetError
from secure_ml.vault.errors import AccessRefused, Tampered, UnknownFormat
from secure_ml.vault.labels import Label
from secure_ml.vault.manifest import Part
from secure_ml.vault.parquet_batches import batches_of

_FORMAT = "secure_ml/part/2"
_FORMAT_KEY = "format"
_STORABLE = frozenset(
    [pa.string(), pa.binary(), pa.bool_(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.date32()]
)


def part_file(section: str, bucket: int) -> str:
    """The name of a part's file."""
    return f"{section}-{bucket:04d}.parquet"


class _ReleasedKeys(pe.KmsClient):  # type: ignore[misc]  # pyarrow has no types
    """The keys of one part, by id. PME wraps its data keys under them, bound to the id, which names part and column."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        pe.KmsClient.__init__(self)
        self._keys = keys
        self._unwrapped: dict[tuple[str, str], bytes] = {}

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        """Wraps a PME data key."""
        context = master_key_identifier.encode()
        return base64.b64encode(seal(self._keys[master_key_identifier], key_bytes, context=context))

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """Unwraps a PME data key, if its key was released. PME asks again for every row group."""
        if master_key_identifier not in self._keys:
            raise AccessRefused("the key of a column that was not asked for is not released")
        named = master_key_identifier, wrapped_key
        if named not in self._unwrapped:
            self._unwrapped[named] = unseal(
                self._keys[master_key_identifier], base64.b64decode(wrapped_key), context=master_key_identifier.encode()
            )
        return self._unwrapped[named]


def _factory(keys: Mapping[str, bytes]) -> pe.CryptoFactory:
    # One client for the factory's life: a part is written or read once.
    client = _ReleasedKeys(keys)
    return pe.CryptoFactory(lambda _configuration: client)


class PartWriter:
    """Writes one part under a temporary name and gives it its own once it is complete and durable.

    Args:
        folder: the version's folder.
        schema: columns and types.
        labels: a label for every column; its category decides which key its own is derived from.
        keys: the part's key-encryption keys, `FOOTER` included.
        section: side of a split, or "data".
        bucket: bucket of the subject's keyed hash.
        row_group_rows: how many rows are held back before they are written.

    Attributes:
        content: digest of the rows written so far.

    Raises:
        DatasetError: a column has no name, or a type that is not stored.
    """

    def __init__(
        self,
        folder: Path,
        *,
        schema: pa.Schema,
        labels: Mapping[str, Label],
        keys: Mapping[KeyContext, bytes],
        section: str,
        bucket: int,
        row_group_rows: int,
    ) -> None:
        _require_storable(schema)
        self._name = part_file(section, bucket)
        self._final, self._partial = folder / self._name, folder / f".{self._name}.partial"
        self._section, self._bucket, self._rows = section, bucket, 0
        categories = {name: labels[name].key_category for name in schema.names}
        contexts = {context.category: context for context in keys}
        configuration = pe.EncryptionConfiguration(
            footer_key=contexts[FOOTER].key_id,
            column_keys={
                column_key_id(contexts[category], name): [encoded_name(name)] for name, category in categories.items()
            },
            encryption_algorithm="AES_GCM_V1",
            plaintext_footer=False,
            double_wrapping=False,
            data_key_length_bits=256,
        )
        # The properties hold no reference to their factory; it must outlive them.
        self._crypto = _factory(keys_of_columns(keys, categories))
        properties = self._crypto.file_encryption_properties(pe.KmsConnectionConfig(), configuration)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows, self._row_group_rows = 0, row_group_rows
        self._schema = _stored(schema)
        self.content = ContentDigest(schema)
        self._file = _NewFile(self._partial)
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            encryption_properties=properties,
            compression="zstd",
            write_statistics=False,
            write_page_index=False,
            store_schema=False,
        )
        self._writer.add_key_value_metadata({_FORMAT_KEY: _FORMAT})

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows."""
        self._pending.append(batch.rename_columns(self._schema.names))
        self._pending_rows += batch.num_rows
        if self._pending_rows >= self._row_group_rows:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending, schema=self._schema).combine_chunks()
            # Both work outside the interpreter's lock, each on the same rows.
            with ThreadPoolExecutor(1) as beside:
                digested = beside.submit(self._digest, table)
                self._writer.write_table(table)
                digested.result()
            self._rows += self._pending_rows
            self._pending, self._pending_rows = [], 0

    def _digest(self, table: pa.Table) -> None:
        for batch in table.to_batches():
            self.content.update(batch)

    def close(self) -> Part:
        """Makes the part durable under its own name.

        Raises:
            OSError: the disk refused; nothing stands under the part's name.
        """
        self._flush()
        self._writer.close()
        self._file.finish()
        self._partial.rename(self._final)
        return Part(
            self._section, self._bucket, self._name, self._file.size_bytes, self._file.sha256.hexdigest(), self._rows
        )

    def abandon(self) -> None:
        """Closes without a result; the version's folder is removed by the caller."""
        self._pending = []
        # The disk may refuse the footer too; the error that matters is the one that led here.
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._writer.is_open = False
        with contextlib.suppress(OSError):
            self._file.close()


class _NewFile(io.RawIOBase):
    """A new file, and the SHA-256 of what was written into it.

    What is read back could be another's: a plaintext file put in this one's place would be committed as ours.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self.sha256, self.size_bytes = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # pyarrow hands bytes
        self._file.write(data)
        self.sha256.update(data)
        self.size_bytes += len(data)
        return len(data)

    def finish(self) -> None:
        """Makes it durable, and closes it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        self._file.close()
        super().close()


def read_part(
    file: CommittedFile, *, schema: pa.Schema, columns: Sequence[str], rows: int, keys: Mapping[str, bytes]
) -> Iterator[pa.RecordBatch]:
    """The rows of one part.

    Args:
        file: its file, verified.
        schema: from the verified manifest.
        columns: which columns, in order.
        rows: how many there must be, from the verified manifest.
        keys: keys of these columns and of the footer, by key id.

    Raises:
        Tampered: the file was changed meanwhile, or does not open with its keys. Names the file.
        UnknownFormat: it is a part of another format.
        StorageError: the disk refused.
    """
    wanted = pa.schema([schema.field(name) for name in columns])
    names = _stored(wanted).names
    crypto = _factory(keys)
    # The default cache would let a destroyed key live on for ten minutes.
    properties = crypto.file_decryption_properties(
        pe.KmsConnectionConfig(), pe.DecryptionConfiguration(cache_lifetime=0)
    )
    found = 0
    with file.open() as committed:
        try:
            # A thread of Arrow's that reads ahead may let go of the last bytes while the interpreter ends, which aborts
            # the process (Arrow's issue 34314): all reading is the caller's thread's.
            parquet = pq.ParquetFile(committed, decryption_properties=properties, pre_buffer=False)
            _require_format(parquet, file.path)
            for batch in batches_of(parquet, names):
                found += batch.num_rows
                yield pa.RecordBatch.from_arrays([batch[name] for name in names], schema=wanted)
        except (pa.ArrowException, OSError, KeyServiceError) as error:
            raise Tampered(f"{file.path}: cannot be decrypted with its keys ({type(error).__name__})") from None
    if found != rows:
        raise Tampered(f"{file.path}: has another number of rows than was committed")


def _require_format(parquet: pq.ParquetFile, path: Path) -> None:
    if (parquet.metadata.metadata or {}).get(_FORMAT_KEY.encode()) != _FORMAT.encode():
        raise UnknownFormat(
            f"{path}: not a part of the format {_FORMAT}; materialise its version again, or use the secure_ml that "
            "wrote it"
        )


def sync(path: Path) -> None:
    """Makes a file, or the entries of a folder, durable.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stored(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_name(encoded_name(field.name)) for field in schema])


def _require_storable(schema: pa.Schema) -> None:
    """A nested column has leaves that the key list does not name, and which would stay in clear."""
    for field in schema:
        if not field.name:
            raise DatasetError("a column has no name; give it one")
        if field.type not in _STORABLE:
            raise DatasetError(f"column {field.name} has the type {field.type}, which is not stored; make it flat")
