"""A dry run: what a deployment would send that the stack does not have, found by reading alone.

Not even a change set is made, which would already be a change in the account; so what only CloudFormation knows, such
as which resources would be replaced, is not known here.
"""

import json
from collections.abc import Iterator

from imgpipe.deploy import kept, limits, plan
from imgpipe.deploy.events import Event, Finished, Preview, Step, Target
from imgpipe.deploy.parameters import OWN
from imgpipe.deploy.plan import Plan, Wish
from imgpipe.deploy.readiness import Need, look, need
from imgpipe.deploy.template import Template, parse
from imgpipe.remote.session import Session, aws_errors


def preview(session: Session, wish: Wish) -> Iterator[Event]:
    """What `deploy` would do. Raises what it would raise before it changes anything, but for the questions."""
    with aws_errors():
        yield Target(wish.stack, session.account, session.region, session.endpoint)
        limits.check_region(session.region)
        found = look(session, wish.stack)
        first = need(found.status) if found else Need.NOTHING
        gone = found and (first is Need.DELETE or found.status in {"DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"})
        deployed = None if gone else found
        yield Step("bundle")
        former = found if found and found.status != "REVIEW_IN_PROGRESS" else None
        planned = plan.make(session, wish, deployed, former)
        if deployed and planned.unchanged:
            yield Finished(status="unchanged", outputs=deployed.outputs)
            return
        if planned.new and first is Need.NOTHING:
            kept.refuse(session, wish.stack)
        planned, cautions = limits.fit(session, planned, wish)
        yield from cautions
        before = deployed_template(session, wish.stack) if deployed else Template("", {}, {})
        yield difference(planned, before, first)
        yield Finished(status="planned", outputs=deployed.outputs if deployed else {}, new_recipe=planned.new_recipe)


def deployed_template(session: Session, stack: str) -> Template:
    """The template that the stack was deployed with."""
    body = session.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return parse(body if isinstance(body, str) else json.dumps(body))


def difference(planned: Plan, before: Template, first: Need) -> Preview:
    """What of `planned` is new against what is deployed."""
    then, now = before.resources, planned.template.resources
    return Preview(
        new=planned.new,
        first=None if first is Need.NOTHING else first.value,
        bundle="BundleKey" in planned.changed,
        template="DeploymentHash" in planned.changed,
        tags=planned.tags if planned.tags != plan.own_tags(planned.deployed) else None,
        changed={name: values for name, values in planned.changed.items() if name not in OWN - {"RecipeHash"}},
        added=tuple(name for name in now if name not in then),
        altered=tuple(name for name in now if name in then and now[name] != then[name]),
        removed=tuple(name for name in then if name not in now),
    )
