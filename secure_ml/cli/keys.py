"""`secure-ml keys`: what keys there are, and their rotation, rewrapping, destruction and recovery."""

from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from secure_ml.cli.opened import open_state
from secure_ml.cli.screen import out, plain_table, progress, show_json
from secure_ml.vault.errors import AccessRefused
from secure_ml.vault.key_custody import (
    DescribeKeys,
    DestroyKeys,
    EnvironmentKeysDescribed,
    KeysDescribed,
    KeysDestroyed,
    KeysRecovered,
    KeysRewrapped,
    KeysRotated,
    RecoverKeys,
    RewrapKeys,
    RotateKeys,
)
from secure_ml.vault.messages import Kernel, Message

app = typer.Typer(help="Show, rotate, rewrap, destroy and recover keys.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]
EnvironmentOption = Annotated[
    list[str] | None, typer.Option(help="Only this environment, or `installation`; may be given more than once.")
]
ReasonOption = Annotated[str, typer.Option(help="Why, for the audit log. Name no person.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Yes, for ever.")]

Answer = TypeVar("Answer", bound=Message)


@app.callback()
def _group() -> None:
    """Show, rotate, rewrap, destroy and recover keys."""


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show the key store: its generation, its environments, how many keys live, and what waits to be done."""
    found = _ask(DescribeKeys(), KeysDescribed)
    older = sum(one.served and one.root_key_id != one.service_key_id for one in found.environments)
    if as_json:
        show_json({**found.model_dump(), "under_older_root": older})
        return
    out.print(f"Key store   {found.store_id}, generation {found.generation}")
    if found.refusal:
        out.print(f"[red]nothing is opened[/]: {escape(found.refusal)}", soft_wrap=True)
    for service, key_id in sorted({(one.service, one.service_key_id) for one in found.environments if one.served}):
        out.print(f"Root key    {escape(key_id)}, {service}", soft_wrap=True)
    if found.environments:
        table = plain_table("\nenvironment", "\nkey", "\nliving", "\ndestroyed", "\nstate")
        for column in table.columns[1:4]:
            column.justify = "right"
        for one in found.environments:
            counts = (f"{one.living:,}", f"{one.destroyed:,}")
            table.add_row(escape(one.environment), f"{one.epoch}", *counts, _words(one))
        out.print(table)
    if any(one.rotating for one in found.environments):
        out.print("\na rotation is unfinished: `secure-ml keys rotate` goes on with it", soft_wrap=True)
    elif older:
        out.print(f"\n{older} under an older root key: `secure-ml keys rewrap`", soft_wrap=True)
    if found.older_roots:
        out.print(f"\nwait to be retired: {escape(', '.join(found.older_roots))}", soft_wrap=True)


@app.command()
def rotate(environment: EnvironmentOption = None, as_json: JsonOption = False) -> None:
    """Give environments new keys under a new root key, and bring all keys under them. Data is not touched.

    Runs go on meanwhile. Whatever ends it early, another `rotate` goes on where it was, and does only that. At the end
    the older keys are destroyed, and a backup of the key store from before opens nothing any more: make a new one.
    """
    environments, kernel = tuple(environment or ()), open_state().kernel
    answer = _ask(RotateKeys(environments=environments, epochs={}), KeysRotated, kernel=kernel)
    with progress() as bar:
        task = bar.add_task("keys rewrapped", total=answer.total, completed=answer.total - answer.left)
        while not answer.finished:
            answer = _ask(RotateKeys(environments=environments, epochs=answer.epochs), KeysRotated, kernel=kernel)
            bar.update(task, total=answer.total, completed=answer.total - answer.left)
    if as_json:
        roots = {"retired": list(answer.retired), "refused": answer.refused}
        show_json({"epochs": answer.epochs, "not_begun": list(answer.not_begun), "keys": answer.total, **roots})
        return
    names = ", ".join(sorted(answer.epochs))
    out.print(f"[green]rotated[/] {escape(names)}: {answer.total:,} keys rewrapped", soft_wrap=True)
    _tell_roots(answer)
    if answer.not_begun:
        others = escape(", ".join(answer.not_begun))
        out.print(f"That was begun earlier. [yellow]Not rotated[/]: {others}; run this again.", soft_wrap=True)
    out.print("Back up the key store now: older backups of it open nothing any more.")


@app.command()
def rewrap(
    environment: EnvironmentOption = None,
    to: Annotated[str, typer.Option(help="Move to this key service, such as vault:… or file:/srv/keys.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Bring environments' keys under the newest version of their root key, or under another key service's.

    With --to, set SECURE_ML_KEY_SERVICE (or SECURE_ML_KEY_SERVICES) to the same URI before anything is started anew.
    """
    answer = _ask(RewrapKeys(environments=tuple(environment or ()), to=to), KeysRewrapped)
    if as_json:
        show_json({"moved": answer.moved, "retired": list(answer.retired), "refused": answer.refused})
        return
    what = "key" if answer.moved == 1 else "keys"
    out.print(f"[green]rewrapped[/] the {what} of {answer.moved} environments" if answer.moved else "nothing to rewrap")
    _tell_roots(answer)
    if to and answer.moved:
        name = "SECURE_ML_KEY_SERVICES" if environment else "SECURE_ML_KEY_SERVICE"
        out.print(f"Set {name} to {escape(to)} now: the service before opens these keys no more.", soft_wrap=True)


@app.command()
def destroy(
    version: Annotated[str, typer.Argument(help="The version's id.")],
    reason: ReasonOption,
    yes: YesOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also the version that is read today, or one that was never committed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Destroy every key of a version, for ever: no copy of its data can be read again.

    What was made of the version keeps keys of its own and stays readable.
    """
    _require_yes(yes, f"no copy of version {version} can be read again")
    answer = _ask(DestroyKeys(version_id=version, reason=reason, even_if_read=force), KeysDestroyed)
    if as_json:
        show_json({"version_id": version, "destroyed": answer.keys})
        return
    if not answer.keys:
        out.print(f"the keys of version {escape(version)} were destroyed before", soft_wrap=True)
        return
    out.print(f"[green]destroyed[/] {answer.keys} keys of version {escape(version)}", soft_wrap=True)
    out.print("Backups of the key store still hold them, until `secure-ml keys rotate`.")


@app.command()
def recover(reason: ReasonOption, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Make a key store that was restored from an older backup as new as the audit log.

    What was destroyed since the backup is destroyed again, environments that were rotated since are rotated again, and
    secrets that were made since are lost. Where the log is the older one, it is put on record how new the keys are.
    """
    _require_yes(yes, "secrets that the backup lacks are lost, and what was made with them cannot go on")
    answer = _ask(RecoverKeys(reason=reason), KeysRecovered)
    if as_json:
        show_json({"lost": list(answer.lost)})
        return
    out.print("[green]recovered[/]: the key store is as new as the audit log")
    for key_id in answer.lost:
        out.print(f"[yellow]lost[/] {escape(key_id)}", soft_wrap=True)


def _ask(request: Message, expected: type[Answer], *, kernel: Kernel | None = None) -> Answer:
    answer = (kernel or open_state().kernel).send(request)
    if not isinstance(answer, expected):
        raise TypeError(f"the kernel answered {type(answer).__name__} where {expected.__name__} was due")
    return answer


def _require_yes(yes: bool, what: str) -> None:
    if not yes:
        raise AccessRefused(f"{what}: say --yes if that is wanted")


def _tell_roots(answer: KeysRotated | KeysRewrapped) -> None:
    for key_id in answer.retired:
        out.print(f"retired root key {escape(key_id)}", soft_wrap=True)
    for key_id, words in answer.refused.items():
        out.print(f"[yellow]not retired[/] root key {escape(key_id)}: {escape(words)}", soft_wrap=True)


def _words(one: EnvironmentKeysDescribed) -> str:
    if not one.served:
        return "not opened here"
    if one.rotating:
        return f"[yellow]rotation unfinished, {one.left:,} left[/]"
    if one.root_key_id != one.service_key_id:
        return "[yellow]under an older root key[/]"
    return "current"
