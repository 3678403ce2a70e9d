"""A deployment as a person or a program sees it.

Talk, questions and stack events go to stderr; the outputs, or with `--json` a line for each event, to stdout.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Final

import typer
from rich.text import Text

from imgpipe.cli import console, deploy_words, lines
from imgpipe.cli.deploy_progress import Progress
from imgpipe.deploy.events import Caution, Event, Executing, Finished, Preview, Proposed, Step, Target, Waiting
from imgpipe.errors import AwsError
from imgpipe.remote.events import StackEvent

INTERRUPTED: Final = 130
EXIT_CODES: Final = {"deployed": 0, "unchanged": 0, "planned": 0, "cancelled": 1}
LEFT: Final = {
    None: "the stack is as it was",
    "delete": "the stack that had failed is deleted, and no other was made",
    "roll back": "the stack is rolled back to the end, and no more was changed",
}
"""What was done before a no -> how things are."""
GOES_ON: Final = "What CloudFormation has begun goes on without you."


class Screen:
    """Shows one deployment. For the commands that it names, `where` holds the options that address the stack, and
    `recipe` the one that names the recipe."""

    def __init__(self, where: Mapping[str, object], recipe: Mapping[str, object], *, json: bool) -> None:
        self.where = lines.words(where)
        self.recipe = lines.words(recipe)
        self.json = json
        self.talk = console.talk()
        self.progress = Progress(self.talk, animated=sys.stderr.isatty())
        self.changes = 0
        self.underway = False
        self.operation: str | None = None

    def show(self, events: Iterator[Event]) -> int:
        """Show a deployment from its first event to its last, and return the exit code."""
        code = 0
        try:
            for event in events:
                self._note(event)
                if self.json:
                    self._print_json(event)
                else:
                    self._say(event)
                if isinstance(event, Finished):
                    code = EXIT_CODES[event.status]
        except KeyboardInterrupt:
            self.progress.close()
            return self._interrupted()
        except Exception as error:
            self.progress.close()
            goes_on = self.underway and isinstance(error, AwsError)
            if self.json:
                lines.print_result("in_progress" if goes_on else "failed", error, outputs={})
            if goes_on:
                self._say_goes_on()
            raise
        finally:
            self.progress.close()
        return code

    def ask(self, question: str) -> bool:
        """Put a question on the terminal; all but a yes is a no."""
        self.progress.close()
        self.talk.print(f"{question} [y/N] ", end="")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def _note(self, event: Event) -> None:
        """Keep in mind whether CloudFormation is at work."""
        match event:
            case Executing(operation):
                self.underway = True
                self.operation = operation if operation in LEFT else self.operation
            case Waiting():
                self.underway = True
            case StackEvent():
                self.underway = not event.settled
            case _:
                self.underway = False

    def _say(self, event: Event) -> None:
        match event:
            case Target():
                console.lay_out(self.talk, deploy_words.target(event))
            case Waiting(status):
                self.progress.begin(f"Waiting, for the stack is in {status}")
            case Step(step):
                self.progress.begin(deploy_words.STEPS[step])
            case Proposed(changes):
                self.progress.close()
                self.changes = len(changes)
                console.lay_out(self.talk, *deploy_words.changes(changes))
            case Caution(message, remedy):
                self.progress.close()
                told = console.printable(f"{message} {remedy}")
                console.lay_out(self.talk, Text.assemble(("Note: ", "bold yellow"), told))
            case Executing("deploy"):
                self.progress.begin("Deploying", self.changes)
            case Executing():
                pass  # Its step was told.
            case StackEvent():
                self.progress.add(event)
            case Preview():
                self.progress.close()
                console.lay_out(self.talk, *deploy_words.preview(event))
            case Finished():
                self.progress.close()
                self._end(event)

    def _end(self, event: Finished) -> None:
        left = "no stack was made" if event.new and not self.operation else LEFT[self.operation]
        said = {
            "deployed": Text("Deployed.", "bold green"),
            "unchanged": Text("Nothing has changed: it is deployed already.", "bold"),
            "cancelled": Text(f"Cancelled: {left}.", "bold"),
            "planned": Text("Nothing was changed.", "bold"),
        }
        self.talk.print(said[event.status])
        if event.status not in {"deployed", "unchanged"}:
            return
        if event.outputs:
            typer.echo(deploy_words.outputs(event.outputs))
        else:
            self.talk.print("The endpoint tells no outputs of the stack.")
        if event.new_recipe:
            self.talk.print(
                "Images that were there before keep the renditions of the recipe before. To have one made anew, "
                "call the API's POST /images/{id}/reprocess, or upload it again."
            )
        self.talk.print(f"Next: {lines.command('status', *self.where)}", soft_wrap=True)

    def _interrupted(self) -> int:
        if self.json:
            lines.print_result("in_progress" if self.underway else "cancelled", outputs={})
        self.talk.print()
        if self.underway:
            self._say_goes_on()
        else:
            self.talk.print(f"Interrupted before anything was deployed: {LEFT[self.operation]}.")
        return INTERRUPTED

    def _say_goes_on(self) -> None:
        again = lines.command("deploy", *self.where, *self.recipe)
        self.talk.print(f"{GOES_ON} Look on again with:")
        self.talk.print(again, soft_wrap=True)

    def _print_json(self, event: Event) -> None:
        if isinstance(event, Finished):
            lines.print_result(event.status, outputs=event.outputs)
        else:
            lines.print_line(deploy_words.document(event))
