"""What a deployment tells while it goes on, besides CloudFormation's own stack events.

The first event is a Target and the last, unless an error is raised, a Finished.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from imgpipe.deploy.change_set import Change
from imgpipe.remote.events import StackEvent


class Target(Struct, frozen=True):
    """Where the deployment goes: the account's 12 digits, and the URL that answers."""

    stack: str
    account: str
    region: str
    endpoint: str


class Waiting(Struct, frozen=True):
    """Somebody's operation on the stack has to end first; its events follow."""

    status: str


class Step(Struct, frozen=True):
    """Something that takes a moment has begun."""

    step: Literal["bundle", "upload", "change set", "delete", "roll back"]


class Proposed(Struct, frozen=True):
    """What CloudFormation would do."""

    changes: tuple[Change, ...]


class Caution(Struct, frozen=True):
    """What is not wrong, but to be known before one agrees: one sentence on what, one on what to do."""

    message: str
    remedy: str


class Executing(Struct, frozen=True):
    """CloudFormation has begun; from here on it carries on until the stack is at rest, whether anybody looks on or
    not. The last two are what a deployment may need first."""

    operation: Literal["deploy", "delete", "roll back"]


class Preview(Struct, frozen=True, kw_only=True):
    """What a deployment would send that the stack does not have. `first` is what would have to be done before; `bundle`
    and `template` tell whether they are others, `tags` are all of them where they are; `changed` parameters are
    (deployed or None, wanted) by name; resources are logical names."""

    new: bool
    first: str | None
    bundle: bool
    template: bool
    tags: Mapping[str, str] | None
    changed: Mapping[str, tuple[str | None, str]]
    added: tuple[str, ...]
    altered: tuple[str, ...]
    removed: tuple[str, ...]


class Finished(Struct, frozen=True, kw_only=True):
    """How it ended. `new_recipe`: images that are there already were made by another one; `new`: there was no stack."""

    status: Literal["deployed", "unchanged", "cancelled", "planned"]
    outputs: Mapping[str, str] = {}
    new_recipe: bool = False
    new: bool = False


Event = Target | Waiting | Step | Caution | Proposed | Executing | Preview | Finished | StackEvent
Ask = Callable[[str], bool]
"""Puts a question that is answered by yes or no."""
