"""What a deployment's events look like: tables for a person, documents for a program."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from imgpipe.cli.console import counted, printable
from imgpipe.deploy.change_set import STATEFUL, Change
from imgpipe.deploy.events import Event, Preview, Target
from imgpipe.remote.events import StackEvent

STEPS: Final = {
    "bundle": "Building the bundle",
    "upload": "Uploading what is not there yet",
    "change set": "Asking CloudFormation what would change",
    "delete": "Deleting the stack",
    "roll back": "Rolling back to the end",
}
REPLACEMENTS: Final = {"True": "yes", "False": "no", "Conditional": "perhaps"}
FATES: Final = {"lost": "losing", "perhaps lost": "losing", "left behind": "leaving behind"}
LIMITS: Final = (
    "Only a change set, which a dry run does not make, tells what would be replaced, what conditions leave out, and "
    "what was changed by hand."
)


def target(event: Target) -> RenderableType:
    """Where the deployment goes."""
    return facts({"Stack": event.stack, "Account": event.account, "Region": event.region, "Endpoint": event.endpoint})


def facts(told: Mapping[str, str]) -> Table:
    """Names with their values, one under the other."""
    table = Table.grid(padding=(0, 2))
    for name, value in told.items():
        table.add_row(Text(name, "dim"), Text(printable(value), overflow="fold"))
    return table


def outputs(told: Mapping[str, str]) -> str:
    """Names with their values, a line each, which is never folded, so that it can be copied."""
    width = max(map(len, told))
    return "\n".join(f"{name:<{width}}  {printable(value)}" for name, value in sorted(told.items()))


def changes(told: tuple[Change, ...]) -> Iterator[RenderableType]:
    """What CloudFormation would do, with what loses data in red and in words."""
    yield ""
    if not told:
        yield "No resource changes, but parameters or outputs do."
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("Operation", "Resource", "Type", "Replacement"):
        table.add_column(heading, overflow="fold")
    for change in sorted(told, key=lambda change: change.fate != "kept"):  # above the question
        replaced = REPLACEMENTS.get(change.replacement or "", "")
        loss = f"{FATES[change.fate]} {STATEFUL[change.type]}" if change.fate in FATES else ""
        table.add_row(
            change.action,
            change.resource,
            change.type.removeprefix("AWS::"),
            ", ".join(filter(None, (replaced, loss))),
            style=_colour(change),
        )
    yield table
    yield ""
    counts = Counter(change.action.lower() for change in told)
    yield f"{', '.join(f'{count} to {action}' for action, count in counts.items())}."
    if lost := sum("lost" in change.fate for change in told):
        yield Text(f"{counted(lost, 'resource')} in red: what is in there may be gone for good.", "bold red")


def _colour(change: Change) -> str:
    if change.fate != "kept":
        return "yellow" if change.fate == "left behind" else "red"
    return {"Add": "green"}.get(change.action, "")


def preview(event: Preview) -> Iterator[RenderableType]:
    """What a deployment would send."""
    yield ""
    yield "A new stack would be made." if event.new else "The stack would be updated."
    if event.first:
        yield f"Before that, it has to {event.first}."
    told = {name: "new" for name, new in (("Bundle", event.bundle), ("Template", event.template)) if new}
    if event.tags is not None:
        told["Tags"] = ", ".join(f"{name}={value}" for name, value in event.tags.items()) or "(none)"
    for name, (before, wanted) in event.changed.items():
        told[name] = f"{wanted or '(empty)'}" if before is None else f"{before or '(empty)'} → {wanted or '(empty)'}"
    for word, names in (("Add", event.added), ("Change", event.altered), ("Remove", event.removed)):
        if names:
            told[word] = ", ".join(names)
    yield facts(told)
    yield Text(LIMITS, "dim")


def stack_event(event: StackEvent) -> Text:
    """One line, with the reason of what failed."""
    colour = "bold red" if event.failed or "ROLLBACK" in event.status else "green" if "COMPLETE" in event.status else ""
    line = Text(f"{event.time.astimezone():%H:%M:%S}  ", "dim")
    line.append(f"{event.status:<18}  ", colour)
    line.append(printable(event.resource))
    line.append(f"  {event.type.removeprefix('AWS::')}", "dim")
    if event.reason and (event.failed or "ROLLBACK" in event.status):
        line.append(f"  {printable(event.reason)}", "red")
    return line


def document(event: Event) -> dict[str, Any]:
    """The event for a program."""
    if isinstance(event, StackEvent):
        told = msgspec.to_builtins(event)
        del told["of_stack"]
        return {**told, "type": "event", "resourceType": event.type}
    return {"type": type(event).__name__.lower(), **msgspec.to_builtins(event)}
