"""Hostile code of a project, inside genuine runs: with their ticket, their connections, their process.

Belongs here: what it tries, and a note of what came of each try. Must stay out: what must come of it (the tests say).

`plant` is called from a module below `defs`, as any code of a project is. It takes hold of two stages; in each, before
the stage does what it should, everything is tried, and `found-<stage>.json` in the home tells how it went. `told.json`
there holds what whoever planted it knows of the machine.
"""

import errno
import functools
import gc
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(os.environ.get("SECURE_ML_HOME", "/nonexistent"))
SPOKEN = b"\x1b]0;owned\x07\x1b[8mHostile words.\n"
"""What a terminal would obey: a title, and text that is not shown."""

PLACE = {"environment": "training", "project": "clinic"}


@dataclass(frozen=True)
class Run:
    """What hostile code finds in its process, and what it was told."""

    door: Any
    told: dict[str, Any]

    @property
    def kernel(self) -> Any:
        return self.door._kernel

    @property
    def ticket(self) -> Any:
        return self.door._ticket

    def ask(self, kind: Any, **fields: object) -> Any:
        """The kernel's answer to a message of this kind, under the run's ticket unless the fields say otherwise."""
        return self.kernel.send(kind.model_validate({"ticket": self.ticket, **PLACE, **fields}))


Try = Callable[[Run], object]
_TRIES: dict[str, dict[str, Try]] = {"masked": {}, "split": {}}


def during(stage: str) -> Callable[[Try], Try]:
    """Adds a try to those of a stage."""

    def add(attempt: Try) -> Try:
        _TRIES[stage][attempt.__name__] = attempt
        return attempt

    return add


def plant() -> None:
    """Takes hold of `masked` and `split`, where their assets look their functions up."""
    from secure_ml.protection.mask.masking import Masking
    from secure_ml.training import split
    from secure_ml_tests.separated.hostile import budget, machine, network, requests

    del budget, machine, network, requests
    os.write(2, SPOKEN)
    Masking.apply = _after("masked", Masking.apply)  # type: ignore[method-assign]
    split.split = _after("split", split.split)


def _after(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def attacked(*arguments: Any, **named: Any) -> Any:
        _attack(stage)
        return function(*arguments, **named)

    return attacked


def _attack(stage: str) -> None:
    from secure_ml.vault.door import Door

    (door,) = (found for found in gc.get_objects() if isinstance(found, Door))
    run = Run(door, json.loads((HOME / "told.json").read_text(encoding="utf-8")))
    found = {name: outcome(attempt, run) for name, attempt in _TRIES[stage].items()}
    (HOME / f"found-{stage}.json").write_text(json.dumps(found, default=repr), encoding="utf-8")


def outcome(attempt: Callable[..., object], *arguments: object, **named: object) -> object:
    """What the try got; or `Class: words` of what stopped it, whatever that was. Of an OSError its name alone."""
    try:
        return attempt(*arguments, **named)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)
    except Exception as error:  # noqa: BLE001 - what it is, is what is looked for
        return f"{type(error).__name__}: {error}"
