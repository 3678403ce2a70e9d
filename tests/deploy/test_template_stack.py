"""The template made into a stack, as far as moto can: what is wired by references is really so.

moto makes no policies, alarms, HTTP APIs or notifications from a template; those are held by the other tests.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto import mock_aws
from template_case import GIVEN, JWT, KEY, TEMPLATE, TEXT

REGION = "eu-central-1"
ACCOUNT = "123456789012"
NAME = "imgpipe"

Outputs = dict[str, str]
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@pytest.fixture
def create(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outputs]]:
    """Make the stack with the given parameters, and return its outputs."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)

    def make(**parameters: str) -> Outputs:
        bundle = io.BytesIO()
        with zipfile.ZipFile(bundle, "w") as archive:
            archive.writestr("imgpipe.toml", "")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=GIVEN["BundleBucket"], CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=GIVEN["BundleBucket"], Key=GIVEN["BundleKey"], Body=bundle.getvalue())
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName=NAME,
            TemplateBody=TEXT,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in (GIVEN | parameters).items()
            ],
        )
        (stack,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    with mock_aws():
        yield make


@pytest.mark.parametrize(
    "parameters", [{}, {"ProcessorTimeout": "300"}, JWT | KEY | {"CorsOrigins": "https://a.example"}]
)
def test_the_stack_comes_up_with_all_its_outputs(create: Callable[..., Outputs], parameters: dict[str, str]) -> None:
    outputs = create(**parameters)
    assert outputs.keys() == TEMPLATE["Outputs"].keys()
    assert outputs["SourceBucket"] == f"imgpipe-source-{ACCOUNT}-{REGION}-an"
    assert outputs["DestinationBucket"] == f"imgpipe-dest-{ACCOUNT}-{REGION}-an"
    assert outputs["ApiEndpoint"].startswith("https://")
    for name in ("SourceBucket", "DestinationBucket"):
        boto3.client("s3").head_bucket(Bucket=outputs[name])
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    named = {outputs[name] for name in ("ProcessorLogGroup", "ApiLogGroup", "AccessLogGroup")}
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == dict.fromkeys(named, 30)


def test_the_catalog_takes_records_and_lists_them_by_time(create: Callable[..., Outputs]) -> None:
    table = create()["CatalogTable"]
    dynamodb = boto3.client("dynamodb")
    for second in (2, 1):
        key = f"a/{second}.jpg"
        feed = f"2026-11-22T10:00:0{second}.000Z#{key}"
        dynamodb.put_item(TableName=table, Item={"key": {"S": key}, "shard": {"S": "07"}, "feed": {"S": feed}})
    dynamodb.put_item(TableName=table, Item={"key": {"S": "claimed.jpg"}})
    listed = dynamodb.query(
        TableName=table,
        IndexName="feed",
        KeyConditionExpression="shard = :shard",
        ExpressionAttributeValues={":shard": {"S": "07"}},
    )
    assert [item["key"]["S"] for item in listed["Items"]] == ["a/1.jpg", "a/2.jpg"]
    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"]


def test_a_message_that_fails_four_times_is_parked(create: Callable[..., Outputs]) -> None:
    outputs = create(ProcessorTimeout="30")
    sqs = boto3.client("sqs")
    # moto would call the function itself.
    functions = boto3.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["FunctionArn"].endswith(f":{outputs['ProcessorFunction']}")
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    sqs.send_message(QueueUrl=outputs["QueueUrl"], MessageBody="{}")

    def received(url: str) -> int:
        return len(sqs.receive_message(QueueUrl=outputs[url], VisibilityTimeout=0).get("Messages", []))

    assert [received("QueueUrl") for _ in range(5)] == [1, 1, 1, 1, 0]
    assert received("DeadLetterQueueUrl") == 1


def test_the_functions_run_the_bundle_with_what_the_outputs_name(create: Callable[..., Outputs]) -> None:
    outputs = create(Runtime="python3.14", ProcessorMemory="3008", ProcessorTimeout="300")
    configurations = {
        name: boto3.client("lambda").get_function(FunctionName=outputs[name])["Configuration"]
        for name in ("ProcessorFunction", "ApiFunction")
    }
    for configuration in configurations.values():
        assert configuration["Runtime"] == "python3.14"
        environment = configuration["Environment"]["Variables"]
        assert environment["IMGPIPE_STACK"] == NAME
        assert environment["IMGPIPE_SOURCE_BUCKET"] == outputs["SourceBucket"]
        assert environment["IMGPIPE_DESTINATION_BUCKET"] == outputs["DestinationBucket"]
        assert environment["IMGPIPE_CATALOG_TABLE"] == outputs["CatalogTable"]
    assert configurations["ApiFunction"]["Environment"]["Variables"]["IMGPIPE_QUEUE_URL"] == outputs["QueueUrl"]
    processor = configurations["ProcessorFunction"]
    assert (int(processor["MemorySize"]), int(processor["Timeout"])) == (3008, 300)


@pytest.mark.parametrize("function", ["ProcessorFunction", "ApiFunction"])
def test_a_role_names_the_very_resources_of_the_outputs(create: Callable[..., Outputs], function: str) -> None:
    outputs = create()
    role = boto3.client("lambda").get_function(FunctionName=outputs[function])["Configuration"]["Role"]
    iam = boto3.client("iam")
    name = role.rpartition("/")[2]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = json.dumps(iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"])
    queue = outputs["QueueUrl"].rpartition("/")[2]
    group = outputs[function.replace("Function", "LogGroup")]
    for arn in (
        f"arn:aws:s3:::{outputs['SourceBucket']}/*",
        f"arn:aws:s3:::{outputs['DestinationBucket']}/*",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{outputs['CatalogTable']}",
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
    ):
        assert arn in document
