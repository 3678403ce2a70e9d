"""A destruction as a person or a program sees it: what would be lost, then each step.

Talk, the question and stack events go to stderr; with `--json` a line for each step to stdout.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from rich.table import Column, Table
from rich.text import Text

from imgpipe.cli import console, deploy_words, lines
from imgpipe.cli.console import counted, printable, size
from imgpipe.cli.deploy_progress import Progress
from imgpipe.cli.deploy_screen import GOES_ON, INTERRUPTED
from imgpipe.cli.status import moment
from imgpipe.errors import AwsError
from imgpipe.remote.destroy import Deleted, Deleting, Emptied, Lifted, Plan, Step
from imgpipe.remote.events import StackEvent
from imgpipe.remote.holdings import Holding, to_delete

KINDS: Final = {"source": "Sources", "destination": "Renditions", "catalog": "Catalog", "stack": "Stack"}


class Screen:
    """Shows one destruction. `where` holds the options that address the stack and `flags` those that say what to do,
    for the command that takes it up."""

    def __init__(self, where: Mapping[str, object], flags: Mapping[str, object], *, json: bool) -> None:
        self.where = lines.words(where)
        self.flags = lines.words(flags)
        self.json = json
        self.talk = console.talk()
        self.progress = Progress(self.talk, animated=sys.stderr.isatty())
        self.last: Step | None = None
        """What was done last; None where nothing was."""

    def show_plan(self, plan: Plan, account: str, region: str, endpoint: str) -> None:
        """What would be lost, and what would be kept."""
        if self.json:
            told = {"stack": plan.name, "account": account, "region": region, "endpoint": endpoint}
            state = {"status": plan.stack.status if plan.stack else None, "messages": plan.messages}
            known = {"deleteData": plan.delete_data, "data": plan.holdings}
            lines.print_line({"type": "plan", **told, **state, **known})
            return
        told = {"Stack": plan.name, "Account": account, "Region": region, "Endpoint": endpoint}
        console.lay_out(self.talk, deploy_words.facts(told), "")
        if not plan.is_empty:
            console.lay_out(self.talk, losses(plan), "")

    def ask(self, plan: Plan) -> bool:
        """Have the stack's name typed; anything else is a no."""
        self.talk.print(f"Type the stack's name, {plan.name}, to go on: ", end="")
        return sys.stdin.readline().strip() == plan.name

    def show(self, steps: Iterator[Step]) -> None:
        """Show a destruction from its first step to its last."""
        if not self.json:
            self.progress.begin("Deleting")
        for step in steps:
            self.last = step
            if self.json:
                lines.print_line(document(step))
            else:
                self._say(step)

    def end(self, plan: Plan, status: str, artifacts: str | None = None) -> int:
        """The last words, with the `artifacts` bucket that is left; returns the exit code."""
        self.progress.close()
        kept = [] if plan.delete_data and status == "destroyed" else [held.name for held in plan.holdings]
        if self.json:
            lines.print_result(status, kept=kept, artifacts=artifacts)
        elif status == "cancelled":
            self.talk.print("That is not its name: nothing was changed.")
        elif status == "destroyed":
            gone = " and ".join(["The stack"] * bool(plan.stack) + ["its data"] * plan.delete_data)
            self.talk.print(
                Text(f"{gone[0].upper()}{gone[1:]} {'are' if ' and ' in gone else 'is'} gone.", "bold green")
            )
        else:
            self.talk.print(Text(f"There is no stack {plan.name}: nothing was changed.", "bold"))
        if kept and status != "cancelled" and not self.json:
            console.lay_out(self.talk, "Its data is kept:", *(f"  {printable(name)}" for name in kept))
            self.talk.print("To delete that too:")
            self.talk.print(lines.command("destroy", *self.where, *to_delete(plan.holdings)), soft_wrap=True)
        if artifacts and not self.json:
            self.talk.print(
                f"Bundles are left in the bucket {artifacts}, which every stack of this account and region shares. "
                "Where that was the last, empty it and delete it in the S3 console."
            )
        return 1 if status == "cancelled" else 0

    def end_interrupted(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.progress.close()
        if self.json:
            lines.print_result("in_progress" if self.last else "cancelled", kept=[], artifacts=None)
        self.talk.print()
        if self.last:
            self._say_how_it_stands()
        else:
            self.talk.print("Interrupted: nothing was changed.")
        return INTERRUPTED

    def end_failed(self, error: Exception) -> None:
        """A person is told of `error` by whoever catches it."""
        self.progress.close()
        if self.json:
            lines.print_result("failed", error, kept=[], artifacts=None)
        if self.last and isinstance(error, AwsError):
            self._say_how_it_stands()

    def _say_how_it_stands(self) -> None:
        deleting = isinstance(self.last, Deleting | StackEvent)
        self.talk.print(f"{GOES_ON if deleting else 'Not all is deleted.'} Take it up again with:")
        self.talk.print(lines.command("destroy", *self.where, *self.flags), soft_wrap=True)

    def _say(self, step: Step) -> None:
        match step:
            case StackEvent():
                self.progress.add(step)
            case Lifted(name):
                self.talk.print(f"Lifted the protection of {printable(name)}")
            case Deleting():
                pass  # Its events follow.
            case Emptied(name, removed):
                self.progress.title = f"Deleting {printable(name)}: {counted(removed, 'version')} so far"
                if not self.progress.animated and removed % 10_000 == 0:
                    self.talk.print(self.progress.title)
            case Deleted(_, name):
                self.talk.print(f"Deleted {printable(name)}")


def losses(plan: Plan) -> Table:
    """Each thing with its fate and how much it holds."""
    deleted, kept = Text("to be deleted", "bold red"), Text("to be kept", "green")
    table = Table.grid("fate", "kind", Column("name", overflow="fold"), padding=(0, 2))
    if plan.stack:
        table.add_row(deleted, "Stack", f"{plan.name}, {plan.stack.status}")
        waiting = "unknown" if plan.messages is None else counted(plan.messages, "message")
        table.add_row(deleted, "Queues", f"{waiting}, dead letters among them")
    for held in plan.holdings:
        table.add_row(deleted if plan.delete_data else kept, KINDS[held.kind], printable(held.name))
        table.add_row("", "", Text(amount(held), "dim"))
    return table


def amount(held: Holding) -> str:
    """How much there is, and when that was counted."""
    measured = held.size
    words = counted(measured.items, "record" if held.kind == "catalog" else "object")
    if measured.older:
        words += f", {counted(measured.older, 'older version')}"
    words = f"more than {words}" if measured.at_least else words
    return f"{words}, {size(measured.bytes)}, {_when(measured.counted)}"


def _when(counted: str | None) -> str:
    if not counted:
        return "as of some hours ago"
    is_fresh = datetime.now(UTC) - datetime.fromisoformat(counted) < timedelta(minutes=1)
    return "counted just now" if is_fresh else f"counted {moment(counted)}"


def document(step: Step) -> dict[str, Any]:
    """The step for a program."""
    if isinstance(step, StackEvent):
        return deploy_words.document(step)
    return {"type": type(step).__name__.lower(), **msgspec.to_builtins(step)}
