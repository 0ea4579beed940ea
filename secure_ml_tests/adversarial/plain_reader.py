"""Whoever has a part and some keys: plain pyarrow and the pages under docs/formats, nothing of the product's code.

Run as a script it reads one JSON object on stdin, `{"path", "keys", "columns"}` with the keys in hexadecimal, tries
every way of `WAYS` on each column, and writes one JSON object a line: what it read, or how it failed. It is a process
of its own because pyarrow aborts where it meets the description of a column without its key.
"""

import base64
import itertools
import json
import sys
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

WAYS = ("batches", "batches with threads", "read", "row group", "table", "dataset", "description")


class Greedy(pe.KmsClient):
    """Unwraps with the key of that id; without one, with every key it has; and in the end it hands out another's."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        pe.KmsClient.__init__(self)
        self._keys, self._found = keys, list[bytes]()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        raise NotImplementedError

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        for key in self._keys.values():
            for context in (master_key_identifier, *self._keys):
                opened = unwrapped(key, base64.b64decode(wrapped_key), context.encode())
                if opened is not None:
                    self._found.append(opened)
                    return opened
        return self._found[-1] if self._found else bytes(32)


def unwrapped(key: bytes, wrapped: bytes, context: bytes) -> bytes | None:
    """docs/formats/wrapped-key.md, read backwards; None where the key or the context is another."""
    info = b"secure_ml wrapped key v1\x00" + wrapped[:33] + context
    derived = HKDF(algorithm=SHA256(), length=64, salt=None, info=info).derive(key)
    try:
        opened = AESGCM(derived[32:]).decrypt(wrapped[21:33], wrapped[65:], wrapped[:21] + context)
    except InvalidTag:
        return None
    return opened if derived[:32] == wrapped[33:65] else None


def opened(path: str, keys: Mapping[str, bytes]) -> tuple[pe.CryptoFactory, object]:
    """What pyarrow needs to open the file; the factory must live as long as the file."""
    client = Greedy(keys)
    factory = pe.CryptoFactory(lambda _configuration: client)
    return factory, factory.file_decryption_properties(pe.KmsConnectionConfig())


def attempt(path: str, keys: Mapping[str, bytes], column: str, way: str) -> Any:
    """The column's cells, or its description, in the one way that is tried."""
    _factory, properties = opened(path, keys)
    if way == "table":
        return pq.read_table(path, columns=[column], decryption_properties=properties)[column].to_pylist()
    if way == "dataset":
        options = ds.ParquetFragmentScanOptions(decryption_properties=properties)
        kind = ds.ParquetFileFormat(default_fragment_scan_options=options)
        return ds.dataset(path, format=kind).to_table(columns=[column])[column].to_pylist()
    file = pq.ParquetFile(path, decryption_properties=properties)
    if way == "read":
        return file.read(columns=[column])[column].to_pylist()
    if way == "row group":
        return file.read_row_group(0, columns=[column])[column].to_pylist()
    if way == "description":
        return str(file.metadata.row_group(0).column(file.schema_arrow.get_field_index(column)))
    batches = file.iter_batches(columns=[column], use_threads=way == "batches with threads")
    return [cell for batch in batches for cell in batch[column].to_pylist()]


def footer(path: str, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """All that a part's footer shows without the key of a column."""
    _factory, properties = opened(path, keys)
    file = pq.ParquetFile(path, decryption_properties=properties)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    return {
        "columns": {field.name: str(field.type) for field in file.schema_arrow},
        "row_groups": [(group.num_rows, group.total_byte_size > 0) for group in groups],
        "metadata": file.metadata.metadata,
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    held = {key_id: bytes.fromhex(key) for key_id, key in asked["keys"].items()}
    for tried, name in itertools.product(WAYS, asked["columns"]):
        said: dict[str, Any] = {"way": tried, "column": name}
        try:
            said["read"] = attempt(asked["path"], held, name, tried)
        except (pa.ArrowException, OSError) as failure:
            said["failed"] = type(failure).__name__
        sys.stdout.write(json.dumps(said, default=str) + "\n")
        sys.stdout.flush()
