"""What the template is given: the person's values over the deployed ones over the template's defaults.

A value that was given once stays until another is given, as CloudFormation itself keeps it: so an alarm's address
does not vanish because the next deployment did not name it.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from imgpipe.deploy.template import Template
from imgpipe.errors import UsageError

OWN: Final = frozenset({"BundleBucket", "BundleKey", "RecipeHash", "DeploymentHash"})
"""The parameters that the deployment itself fills in."""
TAG_NAME: Final = 128
TAG_VALUE: Final = 256


def given(
    template: Template, flags: Mapping[str, tuple[str, str | int | None]], pairs: Iterable[str]
) -> dict[str, str]:
    """The parameters that a command line gives: `flags` is flag -> (parameter, value or None), `pairs` are the K=V of
    --param. Raises UsageError for an unknown, doubled or disallowed one."""
    values: dict[str, str] = {}
    spelled: dict[str, str] = {}
    named = [(flag, name, str(value)) for flag, (name, value) in flags.items() if value is not None]
    named += [("--param", *pair) for pair in (split(pair, "--param") for pair in pairs)]
    for flag, name, value in named:
        _check_name(template, name)
        if name in values:
            raise UsageError(f"{name} is given twice, by {spelled[name]} and {flag}.", "Keep one of them.")
        if allowed := template.parameters[name].refusal(value):
            what = f"{name} of --param" if flag == "--param" else flag
            raise UsageError(f"{what} takes no {value!r}.", f"Give {allowed.rstrip('.')}.")
        values[name], spelled[name] = value, flag
    return values


def tags(pairs: Iterable[str]) -> dict[str, str]:
    """The tags that --tag gives. Raises UsageError for a doubled one, and for one that CloudFormation does not take
    ("Tag" in its API reference)."""
    values: dict[str, str] = {}
    for name, value in (split(pair, "--tag") for pair in pairs):
        if name in values:
            raise UsageError(f"The tag {name} is given twice.", "Keep one of them.")
        if name.lower().startswith("aws:") or len(name) > TAG_NAME or len(value) > TAG_VALUE:
            raise UsageError(
                f"AWS takes no tag {name!r} with a value of {len(value)} characters.",
                f"Give a name of at most {TAG_NAME} characters without aws: before it, and at most {TAG_VALUE} for the "
                "value.",
            )
        values[name] = value
    return values


def split(pair: str, flag: str) -> tuple[str, str]:
    """The K and V of `flag K=V`; V may be empty and may hold further signs of equality."""
    name, sign, value = pair.partition("=")
    if not sign or not name:
        raise UsageError(f"{flag} {pair!r} is no NAME=VALUE.", f"Write it as in {flag} NAME=VALUE.")
    return name, value


def resolve(template: Template, values: Mapping[str, str], deployed: Mapping[str, str]) -> dict[str, str]:
    """Every parameter of the template but the deployment's own, with the value it is to have.

    Raises UsageError where one has none, or where JWTs are half set up.
    """
    result = {}
    for name, parameter in template.parameters.items():
        if name in OWN:
            continue
        value = values.get(name, deployed.get(name, parameter.default))
        if value is None:
            raise UsageError(f"The parameter {name} has no value.", f"Give it with --param {name}=VALUE.")
        result[name] = value
    _check_jwt(template, values, result)
    return result


def _check_jwt(template: Template, values: Mapping[str, str], result: dict[str, str]) -> None:
    """Hold the template's Rules, and let what JWTs needed go with them."""
    flags = {"JwtIssuer": "--jwt-issuer", "JwtAudience": "--jwt-audience", "JwtScope": "--jwt-scope"}
    if result["ApiAuth"] == "jwt":
        if missing := [flag for name, flag in flags.items() if name != "JwtScope" and not result[name]]:
            raise UsageError(f"--auth jwt needs {' and '.join(missing)}.", "Give what your identity provider names so.")
        return
    for name, flag in flags.items():
        if values.get(name):
            raise UsageError(f"{flag} counts only where the API takes JWTs.", "Add --auth jwt, or leave it out.")
        result[name] = template.parameters[name].default or ""


def _check_name(template: Template, name: str) -> None:
    if name in OWN:
        raise UsageError(f"The parameter {name} is filled in by the deployment.", "Leave it out.")
    if name in template.parameters:
        return
    names = sorted(template.parameters.keys() - OWN)
    folded = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    remedy = f"Did you mean {folded[near[0]]}?" if near else f"It has these: {', '.join(names)}."
    raise UsageError(f"The template has no parameter {name!r}.", remedy)
