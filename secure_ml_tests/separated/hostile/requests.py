"""What a run asks of the kernel and of the assessor beyond its ticket, past the door."""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from secure_ml.access.stages import Stage
from secure_ml.keys.column_keys import FOOTER
from secure_ml.orchestration.assessor import AssessVersion, RemoteAssessor
from secure_ml.privacy.charging import ChargeBudget, DescribeBudget
from secure_ml.vault import messages as m
from secure_ml.vault.audit_reading import ReadAuditEntries
from secure_ml.vault.describing import DescribeProject, RecordDrafting, VerifyLog
from secure_ml.vault.door import version_folder
from secure_ml.vault.errors import VaultError
from secure_ml.vault.key_custody import DescribeKeys, DestroyKeys, RecoverKeys, RotateKeys
from secure_ml.vault.labels import PUBLIC
from secure_ml.vault.manifest import Manifest
from secure_ml.vault.wire.client import SocketKernel
from secure_ml.vault.wire.frames import decode, messages_by_name, receive_frame, send_frame
from secure_ml_tests.separated.hostile import HOME, PLACE, Run, during, outcome

_STOLEN = HOME / "stolen.json"
_READ = {"partition": "", "columns": (), "sections": (), "assess": False}


def _open(run: Run, stage: Stage, *, by: Stage, **changes: object) -> Manifest:
    return Manifest.from_bytes(run.ask(m.OpenVersion, **{**_READ, "stage": stage, "by": by, **changes}).manifest)


def _keys(run: Run, manifest: Manifest, *columns: str, by: Stage, **changes: object) -> Any:
    asked = {"stage": manifest.address.stage, "by": by, "version_id": manifest.version_id, "columns": columns}
    return run.ask(m.ReleaseKeys, **{**_READ, **asked, **changes}).keys


# Other data than the ticket gives.


@during("masked")
def read_beyond(run: Run) -> dict[str, object]:
    raw = _open(run, Stage.RAW, by=Stage.MASKED)
    never_opened = "f" * 32
    return {
        "dropped column": outcome(_keys, run, raw, "income", "full_name", by=Stage.MASKED),
        "unknown column": outcome(_keys, run, raw, "salary", by=Stage.CLASSIFIED),
        "version not opened": outcome(_keys, run, raw, "income", by=Stage.MASKED, version_id=never_opened),
        "stage not in the ticket": outcome(_open, run, Stage.MASKED, by=Stage.SPLIT),
        "no parent": outcome(_open, run, Stage.MASKED, by=Stage.CLASSIFIED),
        "another project": outcome(_open, run, Stage.RAW, by=Stage.MASKED, project="loan_approval"),
        "another environment": outcome(_open, run, Stage.RAW, by=Stage.MASKED, environment="production"),
        "another derivation": outcome(run.ask, m.DeriveKey, by=Stage.MASKED, derivation="subject"),
    }


@during("split")
def read_beyond_in_training(run: Run) -> dict[str, object]:
    masked = _open(run, Stage.MASKED, by=Stage.SPLIT)
    return {
        "another category": outcome(_keys, run, masked, "diagnosis", by=Stage.SPLIT),
        "raw as split": outcome(_open, run, Stage.RAW, by=Stage.SPLIT),
        "raw as masked": outcome(_open, run, Stage.RAW, by=Stage.MASKED),
        "test side as trained": outcome(_open, run, Stage.SPLIT, by=Stage.TRAINED, sections=("test",)),
        "no side": outcome(_open, run, Stage.SPLIT, by=Stage.TRAINED),
    }


@during("split")
def read_the_ciphertext(run: Run) -> dict[str, object]:
    """With plain pyarrow, the keys that were released, and those of other columns guessed from them."""
    manifest = _open(run, Stage.MASKED, by=Stage.SPLIT)
    keys = _keys(run, manifest, "income", by=Stage.SPLIT)
    (part,) = manifest.parts
    path = version_folder(HOME / "vault", manifest.address, manifest.version_id) / part.file
    found = {}
    for column in ("income", "diagnosis"):
        asked = {"path": str(path), "keys": {name: key.hex() for name, key in keys.items()}, "columns": [column]}
        reader = [sys.executable, "-I", "-m", "secure_ml_tests.adversarial.plain_reader"]
        ended = subprocess.run(reader, input=json.dumps(asked), capture_output=True, text=True, timeout=120)
        said = [json.loads(line) for line in ended.stdout.splitlines()]
        found[column] = [answer["way"] for answer in said if "read" in answer]
    return {**found, "keys": sorted(name.rpartition("/")[2] for name in keys), "footer": FOOTER}


# Verdicts.


def _verdict(stage: str, version_id: str, **changes: object) -> dict[str, object]:
    check = {"check": "minimisation", "passed": True, "blocking": True, "facts": {}}
    return {"stage": stage, "partition": "", "version_id": version_id, **check, **changes}


@during("masked")
def forge_a_verdict(run: Run) -> dict[str, object]:
    raw = _open(run, Stage.RAW, by=Stage.MASKED)
    made_up = m.TicketIssued(body=run.ticket.body.replace(b"person:asha", b"service:assessor"), signature=bytes(64))
    own = _verdict("raw", raw.version_id, check="schema")
    return {
        "its own version": outcome(run.ask, m.RecordVerdict, **own),
        "another stage": outcome(run.ask, m.RecordVerdict, **_verdict("trained", raw.version_id)),
        "made-up ticket": outcome(run.ask, m.RecordVerdict, **own, ticket=made_up),
        "open as a check": outcome(_open, run, Stage.RAW, by=Stage.RAW, assess=True),
        "keys as a check": outcome(_keys, run, raw, "full_name", by=Stage.RAW, assess=True),
    }


@during("masked")
def ask_the_assessor(run: Run) -> dict[str, object]:
    assessor = SocketKernel(Path(os.environ["SECURE_ML_ASSESSOR_SOCKET"]))
    asked = {"stage": Stage.RAW, "partition": "", "checks": ("schema",)}
    return {
        "no project": outcome(lambda: assessor.send(AssessVersion(environment="training", project="x", **asked))),
        "another environment": outcome(
            lambda: assessor.send(AssessVersion(environment="production", project="clinic", **asked))
        ),
        "another message": outcome(lambda: assessor.send(m.OpenVersion.model_validate({**_asked(run), **_READ}))),
    }


def _asked(run: Run) -> dict[str, object]:
    return {"ticket": run.ticket, **PLACE, "by": Stage.RAW, "stage": Stage.RAW}


# Versions.


@during("masked")
def commit_lies(run: Run) -> dict[str, object]:
    return {
        "lower labels": outcome(_commit, run, labels=lambda label: PUBLIC.to_json()),
        "invented parents": outcome(_commit, run, parents=lambda genuine: ("f" * 32,)),
        "a parent left out": outcome(_commit, run, parents=lambda genuine: genuine[:1]),
        "no parents": outcome(_commit, run, parents=lambda genuine: ()),
        "none": type(outcome(_commit, run)).__name__,
    }


def _commit(
    run: Run,
    *,
    labels: Callable[[Any], Any] = lambda label: label.to_json(),
    parents: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda genuine: genuine,
) -> object:
    """What the kernel says to a masked table with one column of raw's, as it came."""
    import pyarrow as pa

    raw, classified = (_open(run, stage, by=Stage.MASKED) for stage in (Stage.RAW, Stage.CLASSIFIED))
    _keys(run, raw, "income", by=Stage.MASKED)
    place = {"stage": Stage.MASKED, "partition": ""}
    categories = ("financial", "internal")
    begun = run.ask(m.BeginWrite, **place, categories=categories, sections=("data",), buckets=1)
    part = {"section": "data", "bucket": 0, "file": "data-0000.parquet", "size_bytes": 1, "sha256": "0", "rows": 1}
    try:
        return run.ask(
            m.CommitWrite,
            **place,
            version_id=begun.version_id,
            digest="0",
            schema_ipc=pa.schema([raw.schema.field("income")]).serialize().to_pybytes(),
            labels={"income": labels(raw.labels["income"])},
            parents=parents((raw.version_id, classified.version_id)),
            parts=(part,),
            summary={},
        )
    except VaultError:
        run.ask(m.AbandonWrite, **place, version_id=begun.version_id, error="Refused")
        raise


@during("masked")
def write_beyond(run: Run) -> dict[str, object]:
    wanted = {"stage": Stage.RAW, "partition": "", "categories": ("pii",), "sections": ("data",), "buckets": 1}
    begin = lambda **changes: outcome(run.ask, m.BeginWrite, **{**wanted, **changes})  # noqa: E731
    return {
        "stage not in the ticket": begin(stage=Stage.TRAINED),
        "another project": begin(project="loan_approval"),
        "another environment": begin(environment="production"),
        "more keys than there are": begin(buckets=10**9),
        "a charge": outcome(run.ask, ChargeBudget, epsilon="0.1", delta="0", description="x"),
    }


@during("masked")
def spoil_what_is_judged(run: Run) -> dict[str, object]:
    """A version of its own, changed between commit and verdict or between verdict and use, or exchanged for another."""
    from secure_ml.definitions import open_installation

    folder = open_installation().projects["clinic"].folder
    stored = run.door.write(Stage.RAW, "", run.door.receive("", folder=folder, environ={}))
    (file,) = version_folder(HOME / "vault", stored.address, stored.version_id).iterdir()
    genuine = file.read_bytes()
    other = next(path for path in file.parents[1].glob("*/*.parquet") if path != file).read_bytes()
    judge = RemoteAssessor(SocketKernel(Path(os.environ["SECURE_ML_ASSESSOR_SOCKET"])))
    judged = lambda: judge("training", "clinic", Stage.RAW, "", ("schema", "quality"))  # noqa: E731
    used = lambda: run.door.open(Stage.RAW, "", by=Stage.CLASSIFIED).read().num_rows  # noqa: E731
    changed = genuine[:-100] + bytes([genuine[-100] ^ 1]) + genuine[-99:]
    file.chmod(0o640)
    return {
        "unjudged": outcome(used),
        "judged changed": _with(file, changed, judged),
        "judged another": _with(file, other, judged),
        "judged genuine": _with(file, genuine, lambda: [one.passed for one, _ in judged().recorded]),
        "used changed": _with(file, changed, used),
        "used another": _with(file, other, used),
        "used genuine": _with(file, genuine, used),
    }


def _with(file: Path, content: bytes, attempt: Callable[[], object]) -> object:
    file.write_bytes(content)
    return outcome(attempt)


# What needs a person's or a service's own name.


@during("masked")
def act_without_a_ticket(run: Run) -> dict[str, object]:
    started = {**PLACE, "run_id": secrets.token_hex(16), "stages": tuple(Stage)}
    asked: Mapping[str, m.Message] = {
        "ticket": m.IssueTicket.model_validate(started),
        "ticket of a service": m.IssueTicket.model_validate({**started, "on_behalf_of": "service:sensor"}),
        "ticket of a person": m.IssueTicket.model_validate({**started, "on_behalf_of": "person:asha"}),
        "log": ReadAuditEntries(start=0),
        "verification": VerifyLog(earlier_checkpoint=None),
        "project": DescribeProject(**PLACE),
        "budget": DescribeBudget(**PLACE),
        "drafting": RecordDrafting(project="clinic"),
        "keys": DescribeKeys(),
        "rotation": RotateKeys(environments=(), epochs={}),
        "destruction": DestroyKeys(version_id="f" * 32, reason="no reason", even_if_read=True),
        "recovery": RecoverKeys(reason="no reason"),
    }
    return {name: outcome(run.kernel.send, request) for name, request in asked.items()}


@during("masked")
def say_what_is_no_message(run: Run) -> dict[str, object]:
    return {
        "write the log": _sent(b'{"kind":"AppendAuditEntry","body":{"action":"version.commit"}}'),
        "an answer": _sent(b'{"kind":"Recorded","body":{"audit_index":0}}'),
        "garbage": _sent(b"\xff" * 64),
        "deep": _sent(b"[" * 200_000),
    }


def _sent(frame: bytes) -> object:
    """What is answered to it on a new connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        opened.connect(os.environ["SECURE_ML_KERNEL_SOCKET"])
        send_frame(opened, frame)
        answer = receive_frame(opened)
    return outcome(lambda: decode(answer or b"", messages_by_name()))


# The ticket, elsewhere.


@during("masked")
def show_the_ticket_elsewhere(run: Run) -> dict[str, object]:
    _STOLEN.write_text(run.ticket.model_dump_json(), encoding="utf-8")
    return {
        "another connection": _shown_on_another_connection(run.ticket),
        "many at once": sorted(set(map(str, at_once(lambda: _shown_on_another_connection(run.ticket))))),
        "a child": _shown_by_a_child(run),
    }


@during("split")
def show_the_ticket_of_a_run_that_ended(run: Run) -> object:
    return _shown_on_another_connection(m.TicketIssued.model_validate_json(_STOLEN.read_text(encoding="utf-8")))


def _shown_on_another_connection(ticket: m.TicketIssued) -> object:
    kernel = SocketKernel(Path(os.environ["SECURE_ML_KERNEL_SOCKET"]))
    asked = {**_READ, **PLACE, "ticket": ticket, "by": Stage.MASKED, "stage": Stage.RAW}
    return outcome(lambda: kernel.send(m.OpenVersion.model_validate(asked)))


def _shown_by_a_child(run: Run) -> object:
    reading, writing = os.pipe()
    if os.fork() == 0:
        said = outcome(_open, run, Stage.RAW, by=Stage.MASKED)
        os.write(writing, str(said).encode())
        os._exit(0)
    os.wait()
    return os.read(reading, 4096).decode()


def at_once(attempt: Callable[[], object], count: int = 8) -> list[object]:
    said: list[object] = []
    threads = [threading.Thread(target=lambda: said.append(attempt())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said
