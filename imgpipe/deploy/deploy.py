"""From a wish to a deployed stack: each step in its order, told as it goes.

Nothing is changed in the account before it is known that there is something to do and that somebody can agree to it.
From Executing on it is CloudFormation that works: whoever stops listening stops nothing.
"""

import time
from collections.abc import Iterator

from imgpipe.deploy import artifacts, change_set, kept, limits, plan
from imgpipe.deploy.events import Ask, Event, Executing, Finished, Proposed, Step, Target
from imgpipe.deploy.plan import Plan, Wish
from imgpipe.deploy.readiness import Declined, Sleep, agree, carry_out, make_ready, somebody
from imgpipe.deploy.template import INLINE_BYTES
from imgpipe.remote.session import Session, aws_errors
from imgpipe.remote.stack import find


def deploy(session: Session, wish: Wish, ask: Ask | None, sleep: Sleep = time.sleep) -> Iterator[Event]:
    """Deploy; `ask` puts a question, and None stands for nobody to ask.

    Raises StackError with the root cause where the deployment fails or cannot begin, AwsError where AWS cannot be
    reached or refuses, UsageError for a missing parameter or a missing --yes, and BundleError.
    """
    with aws_errors():
        yield Target(wish.stack, session.account, session.region, session.endpoint)
        limits.check_region(session.region)
        new = False
        try:
            ready = yield from make_ready(session, wish.stack, ask, sleep)
            yield Step("bundle")
            planned = plan.make(session, wish, ready.stack, ready.former)
            if ready.stack and planned.unchanged:
                yield Finished(status="unchanged", outputs=ready.stack.outputs)
                return
            new = planned.new
            planned, cautions = limits.fit(session, planned, wish)
            yield from cautions
            yield from _carry_out(session, planned, ask, sleep)
        except Declined:
            yield Finished(status="cancelled", new=new)


def _carry_out(session: Session, planned: Plan, ask: Ask | None, sleep: Sleep) -> Iterator[Event]:
    if planned.new:
        kept.refuse(session, planned.stack)
    somebody(ask)  # before anything is changed
    yield Step("upload")
    template = _upload(session, planned)
    yield Step("change set")
    client = session.client("cloudformation")
    proposed = change_set.propose(client, planned, template, sleep)
    if proposed is None:
        yield Finished(status="unchanged", outputs=planned.deployed.outputs if planned.deployed else {})
        return
    executing = False
    try:
        yield Proposed(proposed.changes)
        place = f"in account {session.account}, {session.region}"
        agree(ask, f"{'Make' if planned.new else 'Update'} the stack {planned.stack} {place}?")
        for event in carry_out(
            session, proposed.stack_id, "deploy", lambda: change_set.execute(client, proposed), sleep
        ):
            executing = True
            yield event
    except BaseException as error:
        if not executing and not change_set.abandon(client, proposed, sleep) and not isinstance(error, GeneratorExit):
            yield Executing("deploy")
        raise
    outputs = find(session, proposed.stack_id).outputs
    yield Finished(status="deployed", outputs=outputs, new_recipe=planned.new_recipe)


def _upload(session: Session, planned: Plan) -> dict[str, str]:
    """Have the bundle lie where the plan says; returns what carries the template: its text, or its place."""
    artifacts.store(session, planned.parameters["BundleKey"], lambda: planned.bundle.data)
    text = planned.template.text
    if len(text.encode()) <= INLINE_BYTES:
        return {"TemplateBody": text}
    key = f"template/{planned.template.digest}.yaml"
    artifacts.store(session, key, text.encode)
    return {"TemplateURL": artifacts.url(session, key)}
