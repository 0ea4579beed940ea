"""Parts: encrypted Parquet files, written and read with keys that the kernel released. See docs/formats/part.md.

Belongs here: Parquet Modular Encryption with the settings that make it hold. Must stay out: which keys, and whether.

What PME alone does not catch (measured): a plaintext file in place of an encrypted one, an older file under the same
key, and columns left out of the key list, which stay in clear. Hence every leaf column is listed, under a name that the
list's syntax cannot break, and the bytes that are parsed are those whose SHA-256 stands in the signed manifest.
"""

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from secure_ml.keys.context import KeyContext
from secure_ml.keys.envelope import seal, unseal
from secure_ml.keys.errors import KeyServiceError
from secure_ml.vault.committed_file import CommittedFile
from secure_ml.vault.content_digest import ContentDigest
from secure_ml.vault.dataset import DatasetError
from secure_ml.vault.errors import AccessRefused, Tampered
from secure_ml.vault.labels import Label
from secure_ml.vault.manifest import Part

FOOTER = "footer"
"""Category of the key that protects a part's footer."""

_STORABLE = frozenset(
    [pa.string(), pa.binary(), pa.bool_(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.date32()]
)
_BATCH_ROWS = 10_000
_READ_BYTES = 1 << 20


def part_file(section: str, bucket: int) -> str:
    """The name of a part's file."""
    return f"{section}-{bucket:04d}.parquet"


def stored_name(column: str) -> str:
    """A column's name inside a part: letters, digits, "_" and "-"; anything else as %XX of its UTF-8 bytes.

    PME's list of columns is split at commas, semicolons and colons, and Parquet's paths at dots.
    """
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), column)


class _ReleasedKeys(pe.KmsClient):  # type: ignore[misc]  # pyarrow has no types
    """The keys of one part, by id. PME wraps its data keys under them, bound to the id, which names the part."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        pe.KmsClient.__init__(self)
        self._keys = keys

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        """Wraps a PME data key."""
        context = master_key_identifier.encode()
        return base64.b64encode(seal(self._keys[master_key_identifier], key_bytes, context=context))

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        """Unwraps a PME data key, if its key was released."""
        if master_key_identifier not in self._keys:
            raise AccessRefused("the key of a column that was not asked for is not released")
        return unseal(
            self._keys[master_key_identifier], base64.b64decode(wrapped_key), context=master_key_identifier.encode()
        )


def _factory(keys: Mapping[str, bytes]) -> pe.CryptoFactory:
    return pe.CryptoFactory(lambda _configuration: _ReleasedKeys(keys))


class PartWriter:
    """Writes one part under a temporary name and gives it its own once it is complete and durable.

    Args:
        folder: the version's folder.
        schema: columns and types.
        labels: a label for every column; decides its key.
        contexts: key context by category, `FOOTER` included.
        keys: key bytes by context.
        section: side of a split, or "data".
        bucket: bucket of the subject's keyed hash.
        row_group_rows: how many rows are held back before they are written.

    Attributes:
        content: digest of the rows written so far.

    Raises:
        DatasetError: a column has a type that is not stored.
    """

    def __init__(
        self,
        folder: Path,
        *,
        schema: pa.Schema,
        labels: Mapping[str, Label],
        contexts: Mapping[str, KeyContext],
        keys: Mapping[KeyContext, bytes],
        section: str,
        bucket: int,
        row_group_rows: int,
    ) -> None:
        _require_storable(schema)
        self._name = part_file(section, bucket)
        self._final, self._partial = folder / self._name, folder / f".{self._name}.partial"
        self._section, self._bucket, self._rows = section, bucket, 0
        columns: dict[str, list[str]] = {}
        for name in schema.names:
            columns.setdefault(contexts[labels[name].key_category].key_id, []).append(stored_name(name))
        configuration = pe.EncryptionConfiguration(
            footer_key=contexts[FOOTER].key_id,
            column_keys=columns,
            encryption_algorithm="AES_GCM_V1",
            plaintext_footer=False,
            double_wrapping=False,
            data_key_length_bits=256,
        )
        released = {context.key_id: key for context, key in keys.items()}
        # The properties hold no reference to their factory; it must outlive them.
        self._crypto = _factory(released)
        properties = self._crypto.file_encryption_properties(pe.KmsConnectionConfig(), configuration)
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows, self._row_group_rows = 0, row_group_rows
        self._schema = _stored(schema)
        self.content = ContentDigest(schema)
        self._writer = pq.ParquetWriter(
            self._partial,
            self._schema,
            encryption_properties=properties,
            compression="zstd",
            write_statistics=False,
            write_page_index=False,
            store_schema=False,
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows."""
        self._pending.append(batch.rename_columns(self._schema.names))
        self._pending_rows += batch.num_rows
        if self._pending_rows >= self._row_group_rows:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending, schema=self._schema).combine_chunks()
            self._writer.write_table(table)
            for batch in table.to_batches():
                self.content.update(batch)
            self._rows += self._pending_rows
            self._pending, self._pending_rows = [], 0

    def close(self) -> Part:
        """Makes the part durable under its own name.

        Raises:
            OSError: the disk refused; nothing stands under the part's name.
        """
        self._flush()
        self._writer.close()
        digest, size = file_sha256(self._partial)
        sync(self._partial)
        self._partial.rename(self._final)
        return Part(self._section, self._bucket, self._name, size, digest, self._rows)

    def abandon(self) -> None:
        """Closes without a result; the version's folder is removed by the caller."""
        self._pending = []
        # The disk may refuse the footer too; the error that matters is the one that led here.
        with contextlib.suppress(OSError, pa.ArrowException):
            self._writer.close()
        self._writer.is_open = False


def read_part(
    file: CommittedFile, *, schema: pa.Schema, columns: Sequence[str], rows: int, keys: Mapping[str, bytes]
) -> Iterator[pa.RecordBatch]:
    """The rows of one part.

    Args:
        file: its file, verified.
        schema: from the verified manifest.
        columns: which columns, in order.
        rows: how many there must be, from the verified manifest.
        keys: released keys by key id.

    Raises:
        Tampered: the file was changed meanwhile, or does not open with its keys. Names the file.
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
            parquet = pq.ParquetFile(committed, decryption_properties=properties)
            for batch in parquet.iter_batches(_BATCH_ROWS, columns=names, use_threads=False):
                found += batch.num_rows
                yield pa.RecordBatch.from_arrays([batch[name] for name in names], schema=wanted)
        except (pa.ArrowException, OSError, KeyServiceError) as error:
            raise Tampered(f"{file.path}: cannot be decrypted with its keys ({type(error).__name__})") from None
    if found != rows:
        raise Tampered(f"{file.path}: has another number of rows than was committed")


def file_sha256(path: Path) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and length of a file.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


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
    return pa.schema([field.with_name(stored_name(field.name)) for field in schema])


def _require_storable(schema: pa.Schema) -> None:
    """A nested column has leaves that the key list does not name, and which would stay in clear."""
    for field in schema:
        if field.type not in _STORABLE:
            raise DatasetError(f"column {field.name} has the type {field.type}, which is not stored; make it flat")
