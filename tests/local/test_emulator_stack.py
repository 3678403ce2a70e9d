"""The emulator's stack is the template's: nothing of it is left out unsaid, and every value is the template's own."""

from typing import Any

import pytest
from moto.core.base_backend import BackendDict

from imgpipe.deploy import template
from imgpipe.errors import UsageError
from imgpipe.local.emulator.server import Server, serve
from imgpipe.local.emulator.stack import NOT_EMULATED, REALISED, EmulatedStack
from imgpipe.remote.emulated import EmulatedSession
from imgpipe.remote.stack import find_ours

API = "http://127.0.0.1:2"
GIVEN = {"BundleBucket": "bundles", "BundleKey": "0.zip", "RecipeHash": "0" * 16}


@pytest.fixture
def moto() -> Any:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    BackendDict.reset()
    server = serve(DomainDispatcherApplication(create_backend_app), 0)
    yield server
    server.close()


@pytest.fixture
def session(moto: Server) -> EmulatedSession:
    session = EmulatedSession(moto.port)
    s3 = session.client("s3")
    s3.create_bucket(Bucket="bundles")
    for key in ("0.zip", "1.zip"):
        s3.put_object(Bucket="bundles", Key=key, Body=b"")
    return session


def made(session: EmulatedSession, timeout: int | None = None, **parameters: str) -> EmulatedStack:
    stack = EmulatedStack("imgpipe", session.endpoint, API, timeout)
    stack.create(session, GIVEN | parameters)
    return stack


def test_every_type_of_the_template_is_realised_or_said_to_lack() -> None:
    types = {resource["Type"] for resource in template.load().resources.values()}
    assert types == REALISED.keys()
    assert all(realised.by or realised.lacks for realised in REALISED.values())
    assert {"alarms", "IAM", "JWTs"} <= set(NOT_EMULATED)


def test_the_stack_has_every_output_of_the_template(session: EmulatedSession) -> None:
    made(session)
    outputs = find_ours(session, "imgpipe").outputs
    assert outputs.keys() == template.read_yaml(template.load().text)["Outputs"].keys()
    assert outputs["ApiEndpoint"] == API
    assert all("${" not in value for value in outputs.values())


def test_a_queue_s_url_leads_to_this_machine(session: EmulatedSession) -> None:
    made(session)
    outputs = find_ours(session, "imgpipe").outputs
    sqs = session.client("sqs")
    for name in ("QueueUrl", "DeadLetterQueueUrl"):
        assert outputs[name].startswith(f"{session.endpoint}/123456789012/imgpipe-")
        assert outputs[name] in sqs.list_queues()["QueueUrls"]


def test_no_variable_of_a_function_leads_to_aws(session: EmulatedSession) -> None:
    functions = made(session).properties("AWS::Lambda::Function")
    variables = {name: properties["Environment"]["Variables"] for name, properties in functions.items()}
    assert "amazonaws.com" not in str(variables)
    assert variables["ApiFunction"]["IMGPIPE_QUEUE_URL"] == find_ours(session, "imgpipe").outputs["QueueUrl"]


def test_what_nobody_plays_is_refused(session: EmulatedSession) -> None:
    with pytest.raises(UsageError, match="plays no AuthorizationType JWT of AWS::ApiGatewayV2::Route"):
        made(session, ApiAuth="jwt", JwtIssuer="https://issuer.test", JwtAudience="a,b")


def test_a_resource_whose_condition_does_not_hold_is_not_there(session: EmulatedSession) -> None:
    assert made(session).properties("AWS::SNS::Topic") == {}


def test_moto_calls_no_function_for_a_message(session: EmulatedSession) -> None:
    made(session)
    assert session.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []


def test_values_are_those_of_the_template_s_parameters(session: EmulatedSession) -> None:
    stack = made(session, MaxConcurrency="7", ProcessorMemory="1024", CorsOrigins="http://a.test,http://b.test")
    (bucket, other) = stack.properties("AWS::S3::Bucket").values()
    arn = stack.only("AWS::Lambda::EventSourceMapping")["EventSourceArn"]
    assert {rule["Queue"] for rule in bucket["NotificationConfiguration"]["QueueConfigurations"]} == {arn}
    assert other["CorsConfiguration"]["CorsRules"][0]["AllowedOrigins"] == ["http://a.test", "http://b.test"]
    assert stack.only("AWS::Lambda::EventSourceMapping")["ScalingConfig"] == {"MaximumConcurrency": 7}
    processor = stack.properties("AWS::Lambda::Function")["Processor"]
    assert (processor["MemorySize"], processor["Timeout"]) == (1024, "120")
    assert processor["Environment"]["Variables"]["IMGPIPE_SOURCE_BUCKET"] == bucket["BucketName"]
    routes = [route["RouteKey"] for route in stack.properties("AWS::ApiGatewayV2::Route").values()]
    assert "POST /images/{id}/reprocess" in routes


@pytest.mark.parametrize(("timeout", "visibility"), [(None, 720), (30, 180), (1, 6)])
def test_a_message_stays_hidden_for_six_times_the_timeout(
    session: EmulatedSession, timeout: int | None, visibility: int
) -> None:
    made(session, timeout)
    url = find_ours(session, "imgpipe").output("QueueUrl")
    told = session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert told["Attributes"]["VisibilityTimeout"] == str(visibility)


def test_an_update_changes_what_the_stack_says_and_keeps_its_parts(session: EmulatedSession) -> None:
    stack = made(session, 9)
    before = find_ours(session, "imgpipe")
    stack.update(session, GIVEN | {"BundleKey": "1.zip", "RecipeHash": "1" * 16})
    after = find_ours(session, "imgpipe")
    assert (after.parameters["BundleKey"], after.outputs["RecipeHash"]) == ("1.zip", "1" * 16)
    assert after.parameters["ProcessorTimeout"] == "9"
    assert after.outputs | {"RecipeHash": ""} == before.outputs | {"RecipeHash": ""}
