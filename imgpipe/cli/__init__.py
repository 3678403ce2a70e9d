"""The command line: parse, call, show.

A command returns its exit code or raises; `run` alone turns what was raised into words. Every command imports what it
works with inside its body, so that `imgpipe --version` and every help stay quick.
"""

import sys
from collections.abc import Sequence
from itertools import takewhile
from traceback import walk_tb
from typing import Annotated

import typer

from imgpipe import __version__
from imgpipe.cli import (
    api,
    bundle,
    dashboard,
    debug,
    delete,
    deploy,
    destroy,
    doctor,
    download,
    emulate,
    init,
    list_images,
    logs,
    process_local,
    recipe,
    redrive,
    reprocess,
    samples,
    show,
    status,
    surroundings,
    tail,
    upload,
    verify,
)

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    # The plain help needs no rich, which would double the time it takes; errors are shown here.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(process_local.process_local)
app.command()(samples.samples)
app.command()(init.init)
app.add_typer(recipe.app)
app.command()(emulate.emulate)
app.command()(bundle.bundle)
app.command()(deploy.deploy)
app.command()(status.status)
app.command()(upload.upload)
app.command()(tail.tail)
app.command("list")(list_images.list_images)
app.command()(show.show)
app.command()(download.download)
app.command()(delete.delete)
app.command()(reprocess.reprocess)
app.command()(redrive.redrive)
app.command()(dashboard.dashboard)
app.command()(logs.logs)
app.command()(debug.debug)
app.command()(verify.verify)
app.command()(destroy.destroy)
app.command()(doctor.doctor)
app.add_typer(api.app)


def answer_version(asked: bool) -> None:
    """Print the version before anything else is parsed, which would import pydantic."""
    if asked:
        typer.echo(f"imgpipe {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def imgpipe(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", is_eager=True, callback=answer_version, help="Print the version and stop.")
    ] = False,
    debug: Annotated[  # noqa: ARG001 - `run` takes it out before this is called; it stands here for the help
        bool, typer.Option("--debug", help="Show the traceback of an error. May stand behind any command.")
    ] = False,
) -> int:
    """Make sized and watermarked renditions of your images, by one recipe.

    Start with:

    \b
        imgpipe samples ./in
        imgpipe process-local ./in ./out
    """
    return recipe.need_command(ctx)


def main() -> None:
    """The console script."""
    surroundings.open_streams()
    sys.exit(surroundings.end_with_signals(lambda: run(sys.argv[1:])))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; everything that goes wrong is said on stderr."""
    options = list(takewhile(lambda argument: argument != "--", arguments))
    debug = "--debug" in options
    wanted = [option for option in options if option != "--debug"] + list(arguments[len(options) :])
    try:
        # Not by calling the app, which answers Ctrl-C itself, and without a word.
        command = typer.main.get_command(app)
        with command.make_context("imgpipe", wanted, obj=debug) as context:
            code: int | None = command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as interrupt:
        sys.stderr.write("Interrupted.\n" if _has_begun(interrupt) else "Interrupted: nothing was done yet.\n")
        return 130
    except Exception as error:
        from imgpipe.cli import console

        if debug:
            import traceback

            traceback.print_exc()
        return console.show_error(error)
    return code or 0


def _has_begun(interrupt: KeyboardInterrupt) -> bool:
    """Whether a command was under way, and not only its line being read."""
    return any(frame.f_globals["__name__"].startswith("imgpipe.cli.") for frame, _ in walk_tb(interrupt.__traceback__))
