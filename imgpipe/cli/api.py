"""`imgpipe api schema`: what the HTTP API looks like to a program."""

import typer

from imgpipe.cli.recipe import need_command

app = typer.Typer(name="api", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def group(ctx: typer.Context) -> int:
    """Work with the HTTP API of a stack.

    Example:

    \b
        imgpipe api schema > openapi.json
    """
    return need_command(ctx)


@app.command()
def schema() -> None:
    """Print the API as an OpenAPI 3.1 document, for other applications.

    Every route, document and refusal is in it; it is the same for every stack of this version.

    Example:

    \b
        imgpipe api schema > openapi.json
    """
    import json

    from imgpipe.local import openapi

    typer.echo(json.dumps(openapi.schema(), indent=2))
