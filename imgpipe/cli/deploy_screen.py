"""A deployment as a person or a program sees it.

Talk, questions and stack events go to stderr; the outputs, or with `--json` a line for each event, to stdout.
"""

import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import typer
from rich.text import Text

from imgpipe.cli import console, deploy_words
from imgpipe.cli.deploy_progress import Progress
from imgpipe.deploy.events import Event, Executing, Finished, Preview, Proposed, Step, Target, Waiting
from imgpipe.errors import AwsError, ImgpipeError
from imgpipe.remote.events import StackEvent

INTERRUPTED: Final = 130
EXIT_CODES: Final = {"deployed": 0, "unchanged": 0, "planned": 0, "cancelled": 1}


class Screen:
    """Shows one deployment. For the commands that it names, `where` holds the options that address the stack, and
    `recipe` the one that names the recipe."""

    def __init__(self, where: Mapping[str, object], recipe: Mapping[str, object], *, json: bool) -> None:
        self.where = _words(where)
        self.recipe = _words(recipe)
        self.json = json
        self.talk = console.talk()
        self.progress = Progress(self.talk, animated=sys.stderr.isatty())
        self.changes = 0
        self.executing = False

    def show(self, events: Iterator[Event]) -> int:
        """Show a deployment from its first event to its last, and return the exit code."""
        code = 0
        try:
            for event in events:
                if self.json:
                    self._print_json(event)
                else:
                    self._say(event)
                self.executing |= isinstance(event, Executing)
                if isinstance(event, Finished):
                    code = EXIT_CODES[event.status]
        except KeyboardInterrupt:
            self.progress.close()
            return self._interrupted()
        except ImgpipeError as error:
            self.progress.close()
            goes_on = self.executing and isinstance(error, AwsError)
            if self.json:
                told = {"code": error.code, "message": error.message, "remedy": error.remedy}
                _print_line(_result("in_progress" if goes_on else "failed", error=told))
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
            case Executing():
                self.progress.begin("Deploying", self.changes)
            case StackEvent():
                self.progress.add(event)
            case Preview():
                self.progress.close()
                console.lay_out(self.talk, *deploy_words.preview(event))
            case Finished():
                self.progress.close()
                self._end(event)

    def _end(self, event: Finished) -> None:
        said = {
            "deployed": Text("Deployed.", "bold green"),
            "unchanged": Text("Nothing has changed: it is deployed already.", "bold"),
            "cancelled": Text("Cancelled: the stack is as it was.", "bold"),
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
            self.talk.print("Images that were there before keep the renditions of the recipe before.")
        self.talk.print(f"Next: {self._command('status')}")

    def _interrupted(self) -> int:
        if self.json:
            _print_line(_result("in_progress" if self.executing else "cancelled"))
        self.talk.print()
        if self.executing:
            self._say_goes_on()
        else:
            self.talk.print("Interrupted before anything was deployed.")
        return INTERRUPTED

    def _say_goes_on(self) -> None:
        again = self._command("deploy", *self.recipe)
        self.talk.print(f"The deployment goes on without you. Look on again with: {again}")

    def _command(self, name: str, *more: str) -> str:
        return console.printable(shlex.join(["imgpipe", name, *self.where, *more]))

    def _print_json(self, event: Event) -> None:
        if isinstance(event, Finished):
            _print_line(_result(event.status, event.outputs))
        else:
            _print_line(deploy_words.document(event))


def _words(options: Mapping[str, object]) -> list[str]:
    return [word for option, value in options.items() if value for word in (option, str(value))]


def _result(status: str, outputs: Mapping[str, str] | None = None, error: object = None) -> dict[str, Any]:
    return {"type": "result", "status": status, "outputs": outputs or {}, "error": error}


def _print_line(document: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
    sys.stdout.buffer.flush()
