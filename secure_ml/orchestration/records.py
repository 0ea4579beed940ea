"""Dagster's records without values of persons: events, runs, ticks and their errors, before they are stored.

Belongs here: which of a record's texts are for people, and which are names. Must stay out: databases (storage).

A record is looked at in the form in which Dagster serialises it, so that every field of every event is seen, whoever
made it and whichever release added it: text that is not known to be a name is redacted.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from dagster_shared.serdes import pack_value, unpack_value

from secure_ml.access.tickets import TicketRefused
from secure_ml.guard.errors import named_by_us
from secure_ml.guard.redaction import Redactor
from secure_ml.orchestration.names import require_name, require_partition, vocabulary
from secure_ml.orchestration.resources import TICKET_TAG, read_ticket

T = TypeVar("T")

_NAMES = frozenset(
    {
        "check_name", "event_type_value", "input_name", "job_name", "key", "mapping_key", "name", "op_name",
        "output_name", "parent_run_id", "pipeline_name", "resource_fn_name", "resource_name", "root_run_id", "run_id",
        "step_key", "step_kind_value", "upstream_output_name", "upstream_step_key",
    }
)  # fmt: skip
"""Fields by which programs find things."""

_PARTITIONS = frozenset({"partition", "partition_key"})
_SUBSETS = frozenset({"DefaultPartitionsSubset", "KeyRangesPartitionsSubset", "PartitionKeyRange"})
_SHOWN = frozenset({"TableColumn", "PythonArtifactMetadataEntryData"})
"""Classes whose `name` is shown to people and found by nobody."""

_NUMBERS = frozenset({"IntMetadataEntryData", "FloatMetadataEntryData"})
_SYSTEM_TAG = ("dagster/", ".dagster/")
_PARTITION_TAGS = ("dagster/partition", "dagster/asset_partition_range_")
_WRITTEN_BY_LAUNCHERS = frozenset({".dagster/grpc_info"})
_TOLD = frozenset({"description", "metadata", "metadata_entries", "run_tags", "tags"})

_TEXT_IS_SAFE = frozenset(
    {
        "DagsterExecutionInterruptedError",
        "DagsterLaunchFailedError",
        "DagsterRedactedUserCodeError",
        "DagsterUserCodeUnreachableError",
        "Failure",
    }
)
"""Errors whose texts name steps and servers, or were written for the page: these are redacted and kept."""

_CHECKS_FAILED = re.compile(
    r"dagster\._core\.errors\.DagsterAssetCheckFailedError: \d+ blocking asset checks? failed with ERROR severity:\n"
    r"([^\s:]+: \w+(,\w+)*\n)+"
)
"""What Dagster says of blocking checks, by their names and their assets'. Raised by anybody else it says more."""

_NOT_IN_A_LABEL = re.compile(r"[^\w.\- /]")
_SHORT = 256


def safe_record(record: T) -> T:
    """The record with its texts redacted; itself, where nothing had to go.

    Args:
        record: one that Dagster can serialise.

    Raises:
        NameRefused: one of its names looks like a person's value.
    """
    return _changed(record, _walked)


def safe_text(text: str) -> str:
    """Text that is shown to people, without values of persons."""
    return _safe_short(text) if len(text) <= _SHORT else _redactor(vocabulary()).redact(text)


def safe_snapshot(snapshot: T) -> T:
    """What code declares of a job, with its texts redacted. Names stay: code made them, and finds them again."""
    return _changed(snapshot, _declared)


def _changed(record: T, change: Callable[[Any], Any]) -> T:
    packed = pack_value(cast(Any, record))
    safe = change(packed)
    return record if safe == packed else cast(T, unpack_value(safe))


def _declared(node: Any) -> Any:
    if isinstance(node, list):
        return [_declared(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _walked(value) if key in _TOLD else _declared(value) for key, value in node.items()}


def safe_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags: those of Dagster itself must be names, all others are redacted.

    Raises:
        NameRefused: one of Dagster's looks like a person's value.
    """
    return {_label(key): _tag(key, value) for key, value in tags.items()}


def safe_error(packed: Mapping[str, Any]) -> dict[str, Any]:
    """An error without its text, unless that is known to hold no value, and without source lines.

    Args:
        packed: a `SerializableErrorInfo`, packed.
    """
    kind, message = packed.get("cls_name") or "Error", str(packed["message"])
    safe = kind in _TEXT_IS_SAFE or named_by_us(message) or _CHECKS_FAILED.fullmatch(message)
    return {
        **packed,
        "message": _told(message) if safe else f"{kind}: its text is left out, it may quote a value\n",
        "stack": [safe_text(frame.partition("\n")[0]) + "\n" for frame in packed["stack"]],
        "cause": packed.get("cause") and safe_error(packed["cause"]),
        "context": packed.get("context") and safe_error(packed["context"]),
    }


def _told(message: str) -> str:
    """The text behind the error's full name, redacted; with the name it would be taken for an error of a library."""
    name, colon, text = message.partition(": ")
    return f"{name}{colon}{safe_text(text)}"


@lru_cache(maxsize=8192)
def _safe_short(text: str) -> str:
    return _redactor(vocabulary()).redact(text)


@lru_cache(maxsize=4)
def _redactor(keep: frozenset[str]) -> Redactor:
    return Redactor(keep=keep)


def _walked(node: Any) -> Any:
    """A packed value, redacted."""
    if isinstance(node, str):
        return safe_text(node)
    if isinstance(node, list):
        return [_walked(item) for item in node]
    if not isinstance(node, dict) or "__enum__" in node:
        return node
    of = node.get("__class__")
    if of is None:
        return {key if key.startswith("__") else _label(key): _tagged(key, value) for key, value in node.items()}
    if of == "SerializableErrorInfo":
        return safe_error(node)
    if of in _NUMBERS and _redactor(vocabulary()).redact_value(node["value"]) == "[number]":
        return {"__class__": "TextMetadataEntryData", "text": "[number]"}
    if of in {"JsonMetadataEntryData", "TableRecord"}:
        return {**node, "data": _redactor(vocabulary()).redact_value(node["data"])}
    if of in _SUBSETS:
        return _named(node, "a partition")
    if of == "AssetKey":
        return _named(node, "an asset key")
    return {key: _field(key, value, of) for key, value in node.items()}


def _field(key: str, value: Any, kind: str) -> Any:
    if key in _PARTITIONS and isinstance(value, str):
        return require_partition(value, "a partition")
    if key == "logging_tags" or (key in _NAMES and isinstance(value, str) and kind not in _SHOWN):
        return _named(value, f"a {key.replace('_', ' ')}")
    return value if key == "__class__" else _walked(value)


def _tagged(key: str, value: Any) -> Any:
    return _tag(key, value) if isinstance(value, str) else _walked(value)


def _tag(key: str, value: str) -> str:
    if key == TICKET_TAG:
        return value if _is_ticket(value) else ""
    if key in _WRITTEN_BY_LAUNCHERS or not key.startswith(_SYSTEM_TAG):
        return value if key in _WRITTEN_BY_LAUNCHERS else _label(value)
    if key.startswith(_PARTITION_TAGS) and key != "dagster/partition_set":
        return require_partition(value, f"the tag {safe_text(key)}")
    return require_name(value, f"the tag {safe_text(key)}")


def _label(text: str) -> str:
    """As `safe_text`, in the characters that Dagster allows in the tags of an asset."""
    safe = safe_text(text)
    return safe if safe == text else _NOT_IN_A_LABEL.sub("", safe)


def _is_ticket(value: str) -> bool:
    try:
        read_ticket(value)
    except TicketRefused:
        return False
    return True


def _named(node: Any, what: str) -> Any:
    """The same, once every text in it is a name."""
    if isinstance(node, str):
        return require_name(node, what)
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _named(item, what)
    return node
