"""`imgpipe destroy`: take a stack down, and with --delete-data what it held."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from imgpipe.cli.aws_options import STACK, EndpointUrl, Profile, Region, StackName, session
from imgpipe.errors import StackError, UsageError

if TYPE_CHECKING:
    from imgpipe.remote.destroy import Plan


def destroy(
    stack: StackName = STACK,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    delete_data: Annotated[
        bool,
        typer.Option(
            "--delete-data",
            help="Delete the images, their renditions and the catalog too, every version; also where the stack is "
            "gone already.",
        ),
    ] = False,
    lift_protection: Annotated[
        bool, typer.Option("--lift-protection", help="Take away what protects the stack or its table from deletion.")
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default=False, help="The stack's name once more, instead of typing it."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what happens as a JSON document a line.")] = False,
) -> int:
    """Take a stack down, and its images with it only if you say so.

    Before anything is deleted it shows what would be lost, and asks for the stack's name.

    Example:

    \b
        imgpipe destroy
        imgpipe destroy --stack holiday --delete-data --lift-protection
    """
    from imgpipe.cli.destroy_screen import Screen
    from imgpipe.deploy import artifacts
    from imgpipe.remote.destroy import carry_out, prepare

    where = {"--stack": stack if stack != STACK else None, "--profile": profile, "--region": region}
    flags = {"--delete-data": delete_data, "--lift-protection": lift_protection}
    screen = Screen({**where, "--endpoint-url": endpoint_url}, flags, json=json)
    try:
        if confirm not in (None, stack):
            raise UsageError(f"--confirm says {confirm}, but the stack is {stack}.", "Give both the same name.")
        here = session(profile, region, endpoint_url)
        plan = prepare(here, stack, delete_data=delete_data)
        screen.show_plan(plan, here.account, here.region, here.endpoint)
        if plan.is_empty:
            return screen.end(plan, "nothing")
        asks = confirm is None and not plan.is_underway
        check(plan, lift_protection=lift_protection, asks=asks)
        if asks and not screen.ask(plan):
            return screen.end(plan, "cancelled")
        screen.show(carry_out(here, plan))
        return screen.end(plan, "destroyed", artifacts.bucket_name(here) if artifacts.exists(here) else None)
    except KeyboardInterrupt:
        return screen.end_interrupted()
    except Exception as error:
        screen.end_failed(error)
        raise


def check(plan: "Plan", *, lift_protection: bool, asks: bool) -> None:
    """Raise StackError where something is protected that was not to be lifted, UsageError where nobody can answer."""
    if plan.protected and not lift_protection:
        names = " and ".join(protected.name for protected in plan.protected)
        raise StackError(f"Protected from deletion: {names}.", "If you mean it, add --lift-protection.")
    if asks and not sys.stdin.isatty():
        raise UsageError("Nobody is there to type the stack's name.", f"If you mean it, add --confirm {plan.name}.")
