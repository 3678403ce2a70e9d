"""`imgpipe deploy`: from an AWS account to a working pipeline.

The deployment itself is `imgpipe.deploy.deploy`, which tells what happens as events; here they are shown, and its
questions are put.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Profile, Region, StackName
from imgpipe.cli.recipe_option import RecipeFile

if TYPE_CHECKING:
    from imgpipe.deploy.events import Event


def deploy(
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    recipe: RecipeFile = None,
    arch: Annotated[
        Literal["x86_64", "arm64"] | None,
        typer.Option(envvar="IMGPIPE_ARCH", show_default=False, help="The machine that Lambda runs it on."),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(metavar="MB", show_default=False, help="Memory of the function; 1769 MB are one whole core."),
    ] = None,
    max_concurrency: Annotated[
        int | None,
        typer.Option(metavar="N", show_default=False, help="How many images may be worked on at once."),
    ] = None,
    alarm_email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", show_default=False, help="Where alarms are sent.")
    ] = None,
    auth: Annotated[
        Literal["iam", "jwt"] | None,
        typer.Option(show_default=False, help="Who may call the API: an AWS identity, or the bearer of a JWT."),
    ] = None,
    jwt_issuer: Annotated[
        str | None, typer.Option(metavar="URL", show_default=False, help="Who signs the JWTs.")
    ] = None,
    jwt_audience: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="Whom the JWTs are made out to.")
    ] = None,
    jwt_scope: Annotated[
        str | None, typer.Option(metavar="NAME", show_default=False, help="The scope that changing calls need.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", show_default=False, help="Any parameter of the template. May be repeated."),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            show_default=False,
            help="A tag of everything in the stack, instead of those it has. May be repeated.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Go on without a question.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and change nothing.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON event a line on stdout, then a result line.")
    ] = False,
) -> int:
    """Deploy the pipeline with your recipe into your AWS account.

    You see what will change before it does. Later runs bring it up to date; what they do not give stays as it was.

    Example:

    \b
        imgpipe deploy
        imgpipe deploy --memory 3008 --alarm-email ada@example.com
    """
    from imgpipe.cli import aws_options, deploy_screen
    from imgpipe.core import recipe_file
    from imgpipe.deploy import parameters, template
    from imgpipe.deploy.deploy import deploy
    from imgpipe.deploy.plan import Wish
    from imgpipe.deploy.preview import preview

    flags = {
        "--arch": ("Architecture", arch),
        "--memory": ("ProcessorMemory", memory),
        "--max-concurrency": ("MaxConcurrency", max_concurrency),
        "--alarm-email": ("AlarmEmail", alarm_email),
        "--auth": ("ApiAuth", auth),
        "--jwt-issuer": ("JwtIssuer", jwt_issuer),
        "--jwt-audience": ("JwtAudience", jwt_audience),
        "--jwt-scope": ("JwtScope", jwt_scope),
    }
    where = {
        "--stack": stack if stack != STACK else None,
        "--profile": profile,
        "--region": region,
        "--endpoint-url": endpoint_url,
    }
    screen = deploy_screen.Screen(where, {"--recipe": recipe}, json=json)
    ask = (lambda _: True) if yes else screen.ask if sys.stdin.isatty() and sys.stderr.isatty() else None

    def events() -> Iterator["Event"]:
        declared = template.load()
        wish = Wish(
            stack=stack,
            recipe=recipe_file.load(recipe or recipe_file.find(Path())),
            template=declared,
            values=parameters.given(declared, flags, param or ()),
            tags=parameters.tags(tag) if tag else None,
        )
        session = aws_options.session(profile, region, endpoint_url)
        yield from preview(session, wish) if dry_run else deploy(session, wish, ask)

    return screen.show(events())
