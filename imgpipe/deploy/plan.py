"""A deployment as data: everything that will be sent, worked out before anything is.

A plan is made by reading alone. Where every parameter is as it was deployed, there is nothing to do, and neither an
upload nor a change set is needed to know it: bundle, recipe and template are parameters too, by their hashes.
"""

from collections.abc import Mapping
from typing import Final, cast

from msgspec import Struct

from imgpipe.core.recipe import Recipe
from imgpipe.deploy import artifacts, bundle
from imgpipe.deploy.bundle import Bundle
from imgpipe.deploy.bundle_machine import Architecture
from imgpipe.deploy.parameters import resolve
from imgpipe.deploy.template import Template
from imgpipe.remote.session import Session
from imgpipe.remote.stack import Stack

AT_REST: Final = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
"""The statuses in which a stack is what its parameters say."""


class Wish(Struct, frozen=True, kw_only=True):
    """What the person asked for: `values` are the parameters given, `tags` None where none were."""

    stack: str
    recipe: Recipe
    template: Template
    values: Mapping[str, str]
    tags: Mapping[str, str] | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """What a deployment sends: `parameters` and `tags` whole, with what stays as it is."""

    stack: str
    deployed: Stack | None
    template: Template
    bundle: Bundle
    parameters: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def new(self) -> bool:
        return self.deployed is None

    @property
    def changed(self) -> dict[str, tuple[str | None, str]]:
        """Parameters that are to have another value: name -> what is deployed, and what is wanted."""
        before = self.deployed.parameters if self.deployed else {}
        return {name: (before.get(name), value) for name, value in self.parameters.items() if before.get(name) != value}

    @property
    def unchanged(self) -> bool:
        """Whether the stack is already what the plan would make of it."""
        return (
            self.deployed is not None
            and self.deployed.status in AT_REST
            and not self.changed
            and self.tags == own_tags(self.deployed)
        )

    @property
    def new_recipe(self) -> bool:
        """Whether images that are there already were made by another recipe."""
        return not self.new and "RecipeHash" in self.changed


def make(session: Session, wish: Wish, deployed: Stack | None, former: Stack | None = None) -> Plan:
    """The plan that fulfils `wish`, given what is deployed now, or what the `former` stack was that is made anew; the
    bundle is built for it.

    Raises UsageError where a parameter is missing, and BundleError where the bundle cannot be built.
    """
    known = deployed or former
    parameters = resolve(wish.template, wish.values, known.parameters if known else {})
    architecture = cast("Architecture", parameters["Architecture"])  # the template allows no other
    built = bundle.build(wish.recipe, architecture, parameters["Runtime"].removeprefix("python"))
    parameters |= {
        "BundleBucket": artifacts.bucket_name(session),
        "BundleKey": f"bundle/{built.digest}.zip",
        "RecipeHash": wish.recipe.hash,
        "DeploymentHash": wish.template.digest,
    }
    tags = wish.tags if wish.tags is not None else own_tags(known)
    return Plan(
        stack=wish.stack, deployed=deployed, template=wish.template, bundle=built, parameters=parameters, tags=tags
    )


def own_tags(stack: Stack | None) -> dict[str, str]:
    """The stack's tags, but for those that AWS sets, and nobody else may."""
    return {key: value for key, value in stack.tags.items() if not key.startswith("aws:")} if stack else {}
