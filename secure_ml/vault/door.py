"""The door: the only code that opens, stores or commits data.

Belongs here: the path of rows between stages and encrypted parts. Must stay out: deciding (the kernel does) and what a
stage makes of the rows.
"""

import errno
import hmac
import itertools
import json
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from secure_ml.access.decisions import readable_columns
from secure_ml.access.stages import SIDES, WHOLE, Stage
from secure_ml.keys.context import KeyContext
from secure_ml.policy.project import Policy
from secure_ml.vault import messages as m
from secure_ml.vault.committed_file import verify_file
from secure_ml.vault.content_digest import keyed_digest
from secure_ml.vault.damage_reporting import ReportDamage
from secure_ml.vault.dataset import Dataset, DatasetError
from secure_ml.vault.errors import StorageError, Tampered
from secure_ml.vault.manifest import Address, Manifest, Part
from secure_ml.vault.parts import PartWriter, read_part, sync
from secure_ml.vault.source import open_source

_NO_PARTITION_FOLDER = "_"
_PENDING_ROWS = 200_000
_ROW_GROUP_ROWS = range(2_000, 50_000)

Answer = TypeVar("Answer", bound=m.Message)


@dataclass(frozen=True)
class Stored:
    """A version that has just become the head of its address."""

    address: Address
    version_id: str
    digest: str
    rows: int
    sequence: int
    audit_index: int
    dataset: Dataset
    summary: Mapping[str, int | float | str] = field(default_factory=dict)


def version_folder(root: Path, address: Address, version_id: str) -> Path:
    """Where the parts of a version lie below the vault's folder."""
    place = (address.environment, address.project, address.stage, address.partition or _NO_PARTITION_FOLDER)
    return root.joinpath(*place, version_id)


def read_rows(
    folder: Path, parts: Sequence[Part], *, schema: pa.Schema, columns: Sequence[str], keys: Mapping[str, bytes]
) -> Iterator[pa.RecordBatch]:
    """The rows of these parts of a version, in order.

    Args:
        folder: the version's folder.
        parts: from the verified manifest.
        schema: columns and types of the version.
        columns: which columns, in order.
        keys: their keys, by key id.

    Raises:
        Tampered, UnknownFormat, StorageError: as `verify_file` and `read_part`.
    """
    # All files first: a consumer gets no row of a version of which one part is damaged.
    files = [verify_file(folder / p.file, size_bytes=p.size_bytes, sha256=p.sha256) for p in parts]
    for part, file in zip(parts, files, strict=True):
        yield from read_part(file, schema=schema, columns=columns, rows=part.rows, keys=keys)


class Door:
    """The door of one run: bound to its ticket, environment and project.

    Args:
        kernel: releases keys and moves heads.
        root: the vault's folder.
        environment: the environment.
        policy: the project's policy.
        ticket: the run's identity.
    """

    def __init__(
        self, kernel: m.Kernel, *, root: Path, environment: str, policy: Policy, ticket: m.TicketIssued
    ) -> None:
        self._kernel, self._root, self._environment, self._policy = kernel, root, environment, policy
        self._ticket = ticket

    def receive(self, partition: str, *, folder: Path, environ: Mapping[str, str]) -> Dataset:
        """The source's table, which only `raw` may read. Nothing is read before the log has it.

        Args:
            partition: key of the partition, or "".
            folder: the policy's folder.
            environ: holds the URL of a SQL source.

        Raises:
            SourceError: the source cannot be read as declared.
        """
        self._send(m.RecordSource(**self._who(), partition=partition), m.Recorded)
        return open_source(self._policy, folder=folder, partition=partition, environ=environ)

    def open(self, stage: Stage, partition: str, *, by: Stage, sections: Sequence[str] = ()) -> Dataset:
        """A committed version whose checks have passed, unread, with the columns that the purpose gives `by`.

        Args:
            stage: the stage that made it.
            partition: key of the partition, or "".
            by: the stage that reads.
            sections: sides of `split`; empty for anything else.

        Raises:
            AccessRefused: the decision was no.
            NothingThere: there is no version.
            ChecksNotPassed: a check is missing or failed.
            StaleVersion: it was made under another policy.
            Tampered: what is stored is not what was committed.
        """
        manifest = self._manifest(stage, partition, by=by, sections=sections, assess=False)
        permitted = readable_columns(by, stage, self._policy)
        names = [name for name in manifest.schema.names if permitted is None or name in permitted]
        return self._dataset(manifest, names, by=by, sections=tuple(sections), assess=False)

    def assess(self, stage: Stage, partition: str) -> tuple[Manifest, Dataset]:
        """A version for its own checks, which read it before there are verdicts; and its manifest.

        Raises:
            AccessRefused, NothingThere, StaleVersion, Tampered: as `open`.
        """
        manifest = self._manifest(stage, partition, by=stage, sections=(), assess=True)
        return manifest, self._dataset(manifest, manifest.schema.names, by=stage, sections=(), assess=True)

    def record_verdict(
        self,
        manifest: Manifest,
        *,
        check: str,
        passed: bool,
        blocking: bool,
        facts: Mapping[str, int | float | str | bool],
    ) -> int:
        """Stores what a check found, signed by the kernel. Returns the log entry's index."""
        request = m.RecordVerdict(
            **self._who(),
            stage=Stage(manifest.address.stage),
            partition=manifest.address.partition,
            version_id=manifest.version_id,
            check=check,
            passed=passed,
            blocking=blocking,
            facts=dict(facts),
        )
        return self._send(request, m.Recorded).audit_index

    def lineage(self, dataset: Dataset) -> tuple[Manifest, ...]:
        """The manifests of the versions that a dataset was made from, and of all their ancestors."""
        request = m.DescribeLineage.model_validate({**self._who(), "version_ids": dataset.origins})
        return tuple(Manifest.from_bytes(body) for body in self._send(request, m.LineageDescribed).manifests)

    @property
    def actor(self) -> str:
        """Who runs this, as the kernel wrote into the ticket."""
        return str(json.loads(self._ticket.body)["actor"])

    def derive_key(self, derivation: str, *, by: Stage) -> bytes:
        """A key of 32 bytes for a keyed hash, the project's own.

        Raises:
            AccessRefused: the stage has no use for it.
        """
        return self._send(m.DeriveKey(**self._who(), by=by, derivation=derivation), m.KeyDerived).key

    def send(self, request: type[m.Ticketed], expected: type[Answer], **fields: object) -> Answer:
        """The answer to a request of a higher room's, such as a budget charge, under this run's ticket."""
        return self._send(request.model_validate({**self._who(), **fields}), expected)

    def write(self, stage: Stage, partition: str, dataset: Dataset) -> Stored:
        """Streams a dataset into a new version and makes it the head, or leaves nothing behind.

        Raises:
            HeadMoved: another run committed first.
            StorageError: the disk is full or read-only.
        """
        sections = SIDES if dataset.section_column is not None else WHOLE
        categories = tuple(sorted({label.key_category for label in dataset.labels.values()}))
        place = {"stage": stage, "partition": partition}
        request = m.BeginWrite(
            **self._who(), **place, categories=categories, sections=sections, buckets=self._buckets(dataset)
        )
        begun = self._send(request, m.WriteBegun)
        address = Address(self._environment, self._policy.project, stage, partition)
        folder = version_folder(self._root, address, begun.version_id)
        try:
            digest, parts = _Writing(folder, dataset, begun, self._subject(dataset), mode=_mode(self._root)).run()
        except BaseException as error:
            # First of all the space: on a full disk the log, too, needs some.
            shutil.rmtree(folder, ignore_errors=True)
            self._abandon(place, begun, error)
            if isinstance(error, OSError):
                raise _storage_error(error, folder) from None
            raise
        try:
            committed = self._commit(place, begun, dataset, digest, parts)
        except BaseException as error:
            # The kernel alone knows whether the head has moved: it refuses to abandon what is committed.
            self._abandon(place, begun, error)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        rows = sum(part.rows for part in parts)
        return Stored(
            address,
            begun.version_id,
            digest,
            rows,
            committed.sequence,
            committed.audit_index,
            dataset,
            dict(dataset.summary()),
        )

    def _abandon(self, place: Mapping[str, object], begun: m.WriteBegun, error: BaseException) -> None:
        request = m.AbandonWrite.model_validate(
            {**self._who(), **place, "version_id": begun.version_id, "error": type(error).__name__}
        )
        self._send(request, m.Recorded)

    def _commit(
        self,
        place: Mapping[str, object],
        begun: m.WriteBegun,
        dataset: Dataset,
        digest: str,
        parts: Sequence[m.PartWritten],
    ) -> m.Committed:
        request = m.CommitWrite.model_validate(
            {
                **self._who(),
                **place,
                "version_id": begun.version_id,
                "digest": digest,
                "schema_ipc": dataset.schema.remove_metadata().serialize().to_pybytes(),
                "labels": {name: label.to_json() for name, label in dataset.labels.items()},
                "parents": dataset.origins,
                "parts": tuple(parts),
                "summary": dict(dataset.summary()),
            }
        )
        return self._send(request, m.Committed)

    def _manifest(self, stage: Stage, partition: str, *, by: Stage, sections: Sequence[str], assess: bool) -> Manifest:
        request = m.OpenVersion(
            **self._who(),
            by=by,
            stage=stage,
            partition=partition,
            columns=(),
            sections=tuple(sections),
            assess=assess,
        )
        return Manifest.from_bytes(self._send(request, m.VersionOpened).manifest)

    def _dataset(
        self, manifest: Manifest, names: Sequence[str], *, by: Stage, sections: tuple[str, ...], assess: bool
    ) -> Dataset:
        folder = version_folder(self._root, manifest.address, manifest.version_id)

        def scan(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            request = m.ReleaseKeys(
                **self._who(),
                by=by,
                stage=Stage(manifest.address.stage),
                partition=manifest.address.partition,
                version_id=manifest.version_id,
                columns=tuple(columns),
                sections=sections,
                assess=assess,
            )
            keys = self._send(request, m.KeysReleased).keys
            chosen = [part for part in manifest.parts if not sections or part.section in sections]
            try:
                yield from read_rows(folder, chosen, schema=manifest.schema, columns=columns, keys=keys)
            except Tampered:
                self.send(ReportDamage, m.Recorded, version_id=manifest.version_id)
                raise

        return Dataset(
            pa.schema([manifest.schema.field(name) for name in names]),
            {name: manifest.labels[name] for name in names},
            scan,
            origins=(manifest.version_id,),
        )

    def _buckets(self, dataset: Dataset) -> int:
        return self._policy.storage.buckets if self._subject(dataset) is not None else 1

    def _subject(self, dataset: Dataset) -> str | None:
        subject = self._policy.subject
        return subject.column if subject is not None and subject.column in dataset.labels else None

    def _who(self) -> dict[str, object]:
        return {"ticket": self._ticket, "environment": self._environment, "project": self._policy.project}

    def _send(self, request: m.Message, expected: type[Answer]) -> Answer:
        answer = self._kernel.send(request)
        if not isinstance(answer, expected):
            raise TypeError(f"the kernel answered {type(answer).__name__} where {expected.__name__} was due")
        return answer


class _Writing:
    """One write: rows to parts by section and bucket, with their digests."""

    def __init__(self, folder: Path, dataset: Dataset, begun: m.WriteBegun, subject: str | None, *, mode: int) -> None:
        self._folder, self._dataset, self._begun, self._subject, self._mode = folder, dataset, begun, subject, mode
        self._places: dict[tuple[str, int], PartWriter] = {}
        keys = {KeyContext.parse(key_id): key for key_id, key in begun.keys.items()}
        self._keys = keys
        self._buckets = 1 + max(context.bucket for context in keys)
        self._sections = tuple(dict.fromkeys(context.section for context in keys))
        share = _PENDING_ROWS // (len(self._sections) * self._buckets)
        self._row_group_rows = max(_ROW_GROUP_ROWS.start, min(_ROW_GROUP_ROWS.stop, share))

    def run(self) -> tuple[str, list[m.PartWritten]]:
        """Digest and parts, durable."""
        made = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
        self._folder.mkdir(parents=True, mode=0o700)
        for folder in made:
            folder.chmod(self._mode)
        try:
            for section in self._sections:
                for bucket in range(self._buckets):
                    self._places[section, bucket] = self._open(section, bucket)
            for batch in self._dataset.scan():
                for place, rows in self._divide(batch):
                    self._places[place].write(rows)
            parts = [m.PartWritten(**vars(writer.close())) for writer in self._places.values()]
        except BaseException:
            for writer in self._places.values():
                writer.abandon()
            raise
        for changed in (self._folder, *(folder.parent for folder in made)):
            sync(changed)
        digests = ((section, bucket, writer.content.digest()) for (section, bucket), writer in self._places.items())
        return keyed_digest(digests, key=self._begun.digest_key), parts

    def _open(self, section: str, bucket: int) -> PartWriter:
        keys = {c: key for c, key in self._keys.items() if (c.section, c.bucket) == (section, bucket)}
        return PartWriter(
            self._folder,
            schema=self._dataset.schema,
            labels=self._dataset.labels,
            keys=keys,
            section=section,
            bucket=bucket,
            row_group_rows=self._row_group_rows,
        )

    def _divide(self, batch: pa.RecordBatch) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
        if self._dataset.section_column is not None:
            known = pc.is_in(batch[self._dataset.section_column], pa.array(self._sections))
            if not pc.all(known, min_count=0).as_py():
                raise DatasetError("a row names a section that this stage does not have")
        for section in self._sections:
            rows = batch
            if self._dataset.section_column is not None:
                rows = batch.filter(pc.equal(batch[self._dataset.section_column], section))
            if self._subject is None or self._buckets == 1:
                yield (section, 0), rows
                continue
            buckets = bucket_of(rows[self._subject], buckets=self._buckets, key=self._begun.bucket_key)
            # One stable sort for all buckets: a filter for each would read the batch as often as there are buckets.
            order = np.argsort(buckets, kind="stable")
            grouped, ends = rows.take(pa.array(order)), np.searchsorted(buckets[order], range(self._buckets + 1))
            for bucket, (start, end) in enumerate(itertools.pairwise(ends.tolist())):
                if start < end:
                    yield (section, bucket), grouped.slice(start, end - start)


def _mode(root: Path) -> int:
    """The mode of a new folder: the vault's own, which says who else may read ciphertext; else this user's only."""
    return stat.S_IMODE(root.stat().st_mode) if root.exists() else 0o700


def bucket_of(subjects: pa.Array, *, buckets: int, key: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The bucket of each row: HMAC-SHA-256 of the subject under `key`, modulo `buckets`; a missing subject is in 0."""
    encoded = pc.dictionary_encode(subjects.cast(pa.string()))
    hashes = b"".join([hmac.digest(key, value.encode(), "sha256")[:8] for value in encoded.dictionary.to_pylist()])
    of_values = np.frombuffer(hashes, dtype=">u8") % buckets
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    by_code: np.ndarray[tuple[int], np.dtype[np.int64]] = np.append(of_values.astype(np.int64), 0)[codes]
    return by_code


def _storage_error(error: OSError, folder: Path) -> StorageError:
    if error.errno == errno.ENOSPC:
        return StorageError(f"{folder}: the disk is full; free space and run again, nothing was committed")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return StorageError(f"{folder}: this user may not write there; correct the permissions and run again")
    return StorageError(f"{folder}: the disk refused ({errno.errorcode.get(error.errno or 0, 'unknown')}); check it")
