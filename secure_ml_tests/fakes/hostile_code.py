# ruff: noqa: T201 - careless code prints
"""A project's own Dagster code that lets values of persons out by every way there is; all of them invented.

Belongs here: what careless code does. Must stay out: what must become of it (the tests say).
"""

import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import dagster as dg

NAME = "Zorblax Quillfeather"
EMAIL = "zorblax.canary@invented.example"
PHONE = "98765 01234"
AADHAAR = "2345 6789 0124"
PAN = "ABCPE1234F"
FORMS = (EMAIL, PHONE, AADHAAR, PAN)
"""Values that are known by their form, wherever they stand."""

SAID = f"{EMAIL} {PHONE} {AADHAAR} {PAN}"
JOB = "hostile"


class CarelessError(Exception):
    """An error of a project, whose text nobody looked at."""


@dg.asset
def raises_a_value() -> None:
    raise CarelessError(f"{NAME}, {SAID}")


@dg.asset
def raises_what_a_library_says() -> None:
    import pandas as pd

    pd.Series([f"{NAME}\n{SAID}"]).astype(float)


@dg.asset
def raises_a_chain() -> None:
    try:
        raise KeyError(NAME)
    except KeyError as error:
        error.add_note(SAID)
        raise CarelessError(SAID) from error


@dg.asset
def raises_a_group() -> None:
    raise ExceptionGroup(NAME, [CarelessError(NAME), ExceptionGroup(SAID, [ValueError(NAME)])])


@dg.asset
def raises_an_error_of_dagster() -> None:
    raise dg.DagsterInvariantViolationError(f"{NAME}, {SAID}")


@dg.asset
def raises_a_failure() -> None:
    raise dg.Failure(description=SAID, metadata={"contact": SAID, PHONE: 9876501234})


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
def asks_for_a_retry() -> None:
    raise CarelessError(f"{NAME}, {SAID}")


@dg.asset
def leaves_the_process() -> None:
    raise SystemExit(f"{NAME}, {SAID}")


@dg.asset
def fails_in_a_thread() -> None:
    thread = threading.Thread(target=raises_in_a_thread)
    thread.start()
    thread.join()


def raises_in_a_thread() -> None:
    raise CarelessError(f"{NAME}, {SAID}")


@dg.asset
def yields_a_wrong_type() -> Iterator[dg.Output[int]]:
    yield dg.Output({NAME: SAID}, output_name=PAN)


@dg.asset
def adds_metadata(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    context.add_output_metadata({"said": SAID})
    return dg.MaterializeResult(
        metadata={
            "text": SAID,
            PHONE: "a key",
            "markdown": dg.MetadataValue.md(f"# {SAID}"),
            "json": {"people": [{"contact": SAID, "phone": 9876501234}]},
            "url": dg.MetadataValue.url(f"https://invented.example/?mail={EMAIL}"),
            "path": dg.MetadataValue.path(f"/people/{PAN}"),
            "number": 9876501234,
            "fraction": 9876501234.0,
            "table": dg.MetadataValue.table([dg.TableRecord({"contact": SAID, "phone": 9876501234})]),
            "schema": dg.MetadataValue.table_schema(
                dg.TableSchema([dg.TableColumn(EMAIL, description=SAID, tags={"who": PAN})])
            ),
        },
        tags={"contact": PAN, "9876501234": "called"},
        value=None,
    )


@dg.multi_asset(outs={"described": dg.AssetOut()})
def describes() -> Iterator[object]:
    yield dg.AssetObservation("described", description=SAID, metadata={"said": SAID}, tags={"contact": PAN})
    yield dg.AssetMaterialization("described", description=SAID, metadata={"said": SAID})
    yield dg.Output(None, "described", metadata={"said": SAID})


@dg.asset_check(asset="described")
def checks_aloud() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description=SAID, metadata={"said": SAID})


@dg.asset
def logs(context: dg.AssetExecutionContext) -> None:
    context.log.info(f"about {SAID}")
    context.log.warning("about %s and %s", EMAIL, PHONE)
    context.log.error({"about": SAID})
    try:
        raises_in_a_thread()
    except CarelessError as error:
        context.log.exception("failed")
        context.log.error("failed: %r", error)
        logging.getLogger("a.library").exception("failed")
        logging.getLogger("a.library").error(error)
    logging.getLogger("a.library").critical("about %s", SAID, extra={"contact": SAID})
    dg.get_dagster_logger().info(SAID)


@dg.asset
def prints() -> None:
    print(SAID)
    print(SAID, file=sys.stderr)
    for piece in (*EMAIL, " ", *PHONE, "\n"):
        print(piece, end="", flush=True)
    os.write(2, f"{SAID}\n".encode())
    subprocess.run([sys.executable, "-c", f"import sys; print({SAID!r}); raise ValueError({NAME!r})"], check=False)
    sys.stdout.buffer.write(b"\xff\xfe\x00" + SAID.encode() + b"\x80\n")
    print("x" * 70_000, SAID)


@dg.asset
def warns() -> None:
    warnings.warn(f"{NAME}, {SAID}", UserWarning, stacklevel=1)
    warnings.warn(f"{NAME}, {SAID}", RuntimeWarning, stacklevel=1)
    warnings.warn(SAID, DeprecationWarning, stacklevel=1)


@dg.asset
def prints_what_a_library_found() -> None:
    import json

    found = {"partial_unexpected_list": [NAME, SAID], "partial_unexpected_counts": [{"value": NAME, "count": 1}]}
    print(json.dumps({"result": found}, indent=2))


@dg.resource
def broken_resource(_: object) -> None:
    raise CarelessError(f"{NAME}, {SAID}")


@dg.asset(required_resource_keys={"broken"})
def needs_a_resource() -> None: ...


class CarelessIOManager(dg.IOManager):
    """Fails with what it was given."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        raise CarelessError(f"cannot store {obj}")

    def load_input(self, context: dg.InputContext) -> None: ...


@dg.asset(io_manager_key="careless")
def cannot_be_stored() -> str:
    return f"{NAME}, {SAID}"


@dg.failure_hook
def fails_after_a_failure(_: dg.HookContext) -> None:
    raise CarelessError(f"{NAME}, {SAID}")


@dg.op(out=dg.DynamicOut())
def names_steps_by_values() -> Iterator[dg.DynamicOutput[int]]:
    yield dg.DynamicOutput(1, mapping_key="9876501234")


@dg.op
def takes_one(_one: int) -> None: ...


@dg.job
def steps_named_by_values() -> None:
    names_steps_by_values().map(takes_one)


def failing_type(_context: object, value: object) -> dg.TypeCheck:
    return dg.TypeCheck(success=False, description=f"{SAID} in {value}", metadata={"said": SAID})


@dg.op(out=dg.Out(dg.DagsterType(failing_type, name="Checked")))
def is_of_no_type() -> str:
    return SAID


@dg.op(config_schema={"contact": str})
def is_configured() -> None: ...


@dg.job(hooks={fails_after_a_failure})
def fails_its_type() -> None:
    is_of_no_type()


@dg.job
def configured() -> None:
    is_configured()


ASSETS = (
    raises_a_value, raises_what_a_library_says, raises_a_chain, raises_a_group, raises_an_error_of_dagster,
    raises_a_failure, asks_for_a_retry, leaves_the_process, fails_in_a_thread, yields_a_wrong_type, adds_metadata,
    describes, logs, prints, warns, prints_what_a_library_found, needs_a_resource, cannot_be_stored,
)  # fmt: skip
defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=[checks_aloud],
    jobs=[steps_named_by_values, fails_its_type, configured],
    resources={"broken": broken_resource, "careless": CarelessIOManager(), "io_manager": dg.mem_io_manager},
    executor=dg.in_process_executor,
)
