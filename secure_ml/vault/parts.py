"""Parts: encrypted Parquet files, written and read with keys that the kernel released. See docs/formats/part.md.

Belongs here: Parquet Modular Encryption with the settings that make it hold. Must stay out: which keys, and whether.

What PME alone does not catch (measured): a plaintext file in place of an encrypted one, an older file under the same
key, and columns left out of the key list, which stay in clear. Hence every leaf column is listed, and the whole file's
SHA-256 is compared with the signed manifest before a byte of it is parsed.
"""

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from secure_ml.keys.context import KeyContext
from secure_ml.keys.envelope import seal, unseal
from secure_ml.keys.errors import KeyServiceError
from secure_ml.vault.errors import AccessRefused, StorageError, Tampered
from secure_ml.vault.labels import Label
from secure_ml.vault.manifest import Part

FOOTER = "footer"
"""Category of the key that protects a part's footer."""

_BATCH_ROWS = 10_000
_ROW_GROUP_ROWS = 50_000
_READ_BYTES = 1 << 20


class _ReleasedKeys(pe.KmsClient):  # type: ignore[misc]
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
    ) -> None:
        self._name = f"{section}-{bucket:04d}.parquet"
        self._final, self._partial = folder / self._name, folder / f".{self._name}.partial"
        self._section, self._bucket, self._rows = section, bucket, 0
        columns: dict[str, list[str]] = {}
        for name in schema.names:
            columns.setdefault(contexts[labels[name].key_category].key_id, []).append(name)
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
        self._pending_rows = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(
            self._partial,
            schema,
            encryption_properties=properties,
            compression="zstd",
            write_statistics=False,
            write_page_index=False,
            store_schema=False,
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Appends rows."""
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        if self._pending_rows >= _ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending, schema=self._schema))
            self._rows += self._pending_rows
            self._pending, self._pending_rows = [], 0

    def close(self) -> Part:
        """Makes the part durable under its own name.

        Raises:
            OSError: the disk refused; nothing stands under the part's name.
        """
        self._flush()
        self._writer.close()
        with self._partial.open("rb") as file:
            digest, size = _sha256(file)
            os.fsync(file.fileno())
        self._partial.rename(self._final)
        return Part(self._section, self._bucket, self._name, size, digest, self._rows)

    def abandon(self) -> None:
        """Closes without a result; the version's folder is removed by the caller."""
        self._pending = []
        self._writer.close()


def read_part(
    folder: Path, part: Part, *, schema: pa.Schema, columns: Sequence[str], keys: Mapping[str, bytes]
) -> Iterator[pa.RecordBatch]:
    """The rows of one part, after its file's hash has been compared with the manifest.

    Args:
        folder: the version's folder.
        part: from the verified manifest.
        schema: from the verified manifest.
        columns: which columns, in order.
        keys: released keys by key id.

    Raises:
        Tampered: the file is missing, or is not the one that was committed. Names the file.
        StorageError: the disk refused.
    """
    path = folder / part.file
    wanted = pa.schema([schema.field(name) for name in columns])
    try:
        with path.open("rb") as file:
            digest, size = _sha256(file)
            if (digest, size) != (part.sha256, part.size_bytes):
                raise Tampered(f"{path}: not the file that was committed; restore it from a backup")
            file.seek(0)
            yield from _decrypted(file, path, part, wanted, keys)
    except FileNotFoundError:
        raise Tampered(f"{path}: the file is missing; restore it from a backup") from None
    except PermissionError:
        raise StorageError(f"{path}: this user may not read the file; correct its permissions") from None


def _decrypted(
    file: BinaryIO, path: Path, part: Part, wanted: pa.Schema, keys: Mapping[str, bytes]
) -> Iterator[pa.RecordBatch]:
    crypto = _factory(keys)
    # The default cache would let a destroyed key live on for ten minutes.
    properties = crypto.file_decryption_properties(
        pe.KmsConnectionConfig(), pe.DecryptionConfiguration(cache_lifetime=0)
    )
    rows = 0
    try:
        parquet = pq.ParquetFile(file, decryption_properties=properties)
        for batch in parquet.iter_batches(_BATCH_ROWS, columns=wanted.names, use_threads=False):
            rows += batch.num_rows
            yield pa.RecordBatch.from_arrays([batch[name] for name in wanted.names], schema=wanted)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, KeyServiceError) as error:
        raise Tampered(f"{path}: cannot be decrypted with its keys ({type(error).__name__})") from None
    if rows != part.rows:
        raise Tampered(f"{path}: has another number of rows than was committed")


def _sha256(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while block := file.read(_READ_BYTES):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def file_sha256(path: Path) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and length of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _sha256(file)
