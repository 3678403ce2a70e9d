"""What the template promises and no linter sees: events, times, order, names, and what happens to data."""

import re
from typing import Any

import pytest
from template_case import GIVEN, JWT, KEY, TEMPLATE, TEXT, of_type, references, refusals, resources

import imgpipe
from imgpipe import lambda_function
from imgpipe.deploy.template import INLINE_BYTES
from imgpipe.worker import events
from imgpipe.worker.process import STRIKES

PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
BUCKETS = ("SourceBucket", "DestinationBucket")
EVERYTHING = JWT | KEY | {"AlarmEmail": "a@b.example", "CorsOrigins": "https://a.example", "CatalogWarmWrites": "8000"}
"""Parameters with which every conditional resource and property is there."""


def test_the_template_can_be_sent_inline_and_comes_back_as_it_was() -> None:
    assert len(TEXT.encode()) <= INLINE_BYTES
    assert TEXT.isascii(), "CloudFormation gives back a question mark for anything else"


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_is_described_and_bounded_and_its_default_is_allowed(name: str) -> None:
    parameter = PARAMETERS[name]
    assert parameter["Type"] in {"String", "Number", "CommaDelimitedList"}
    assert parameter["Description"].endswith(".")
    match parameter:
        case {"AllowedValues": [*values]}:
            assert parameter["Default"] in values
        case {"AllowedPattern": pattern, "ConstraintDescription": str()}:
            assert re.fullmatch(pattern, parameter["Default"] if name not in GIVEN else GIVEN[name])
        case {"Type": "Number", "MinValue": low, "MaxValue": high}:
            assert low <= parameter["Default"] <= high
        case _:
            pytest.fail("It takes anything.")


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("BundleBucket", "imgpipe-bundles-111122223333", "s3://bundles"),
        ("BundleKey", "bundle/0a1b.zip", "bundle/0a1b"),
        ("RecipeHash", "0123456789abcdef", "0123456789ABCDEF"),
        ("DeploymentHash", "0" * 64, "new"),
        ("JwtIssuer", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a", "http://login.example"),
        ("JwtAudience", "web,mobile", "web, mobile"),
        ("JwtScope", "images/write", "images/write images/read"),
        ("CorsOrigins", "https://a.example,http://localhost:3000", "*"),
        ("CorsOrigins", "https://a.example", "https://a.example/"),
        ("KmsKeyArn", KEY["KmsKeyArn"], "arn:aws:kms:eu-central-1:111122223333:alias/images"),
        ("KmsKeyArn", f"arn:aws:kms:eu-central-1:111122223333:key/mrk-{'0' * 32}", "alias/aws/s3"),
        ("AlarmEmail", "ada+images@lovelace.example", "Ada Lovelace"),
    ],
)
def test_a_pattern_lets_through_what_is_right_alone(name: str, allowed: str, refused: str) -> None:
    assert re.fullmatch(PARAMETERS[name]["AllowedPattern"], allowed)
    assert not re.fullmatch(PARAMETERS[name]["AllowedPattern"], refused)


def test_the_console_shows_every_parameter_once_with_a_label() -> None:
    interface = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
    shown = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(shown) == sorted(PARAMETERS)
    assert interface["ParameterLabels"].keys() == PARAMETERS.keys()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, []),
        (JWT, []),
        (JWT | {"JwtScope": "write"}, []),
        (JWT | {"JwtIssuer": ""}, ["ApiAuth=jwt needs JwtIssuer."]),
        (JWT | {"JwtAudience": ""}, ["ApiAuth=jwt needs JwtAudience."]),
        (JWT | {"ApiAuth": "iam"}, ["JwtIssuer, JwtAudience and JwtScope count only with ApiAuth=jwt."]),
        ({"JwtScope": "write"}, ["JwtIssuer, JwtAudience and JwtScope count only with ApiAuth=jwt."]),
    ],
)
def test_jwt_is_whole_or_not_at_all(parameters: dict[str, str], says: list[str]) -> None:
    assert refusals(**parameters) == says


def test_the_outputs_are_those_that_the_commands_read() -> None:
    outputs = TEMPLATE["Outputs"]
    assert outputs.keys() == {
        "SourceBucket", "DestinationBucket", "QueueUrl", "DeadLetterQueueUrl", "CatalogTable", "ApiEndpoint",
        "ProcessorFunction", "ApiFunction", "ProcessorLogGroup", "ApiLogGroup", "AccessLogGroup", "RecipeHash",
        "DeploymentHash", "Version",
    }  # fmt: skip
    assert all(output["Description"].endswith(".") for output in outputs.values())
    assert outputs["Version"]["Value"] == imgpipe.__version__


def test_another_hash_alone_touches_no_resource() -> None:
    assert not {"DeploymentHash", "RecipeHash"} & set(references(TEMPLATE["Resources"]))


def test_whatever_can_change_what_lies_at_a_key_is_told_to_the_queue() -> None:
    """The names are those of "Event notification types and destinations" in the S3 user guide."""
    source = resources()["SourceBucket"]
    told = source["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert [one["Event"] for one in told] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
    assert all(one["Queue"] == {"Fn::GetAtt": ["Queue", "Arn"]} for one in told)
    assert source["DependsOn"] == "QueuePolicy"


@pytest.mark.parametrize("timeout", PARAMETERS["ProcessorTimeout"]["AllowedValues"])
def test_a_message_stays_hidden_longer_than_any_lease(timeout: str) -> None:
    made = resources(ProcessorTimeout=timeout)
    visibility = made["Queue"]["Properties"]["VisibilityTimeout"]
    assert made["Processor"]["Properties"]["Timeout"] == timeout
    assert visibility >= 6 * int(timeout)
    assert visibility > int(timeout) + 10
    assert made["LateAlarm"]["Properties"]["Threshold"] > visibility


@pytest.mark.parametrize("timeout", PARAMETERS["ProcessorTimeout"]["AllowedValues"])
def test_what_was_put_is_looked_for_until_s3_surely_shows_it(timeout: str) -> None:
    """Up to 15 minutes after versioning was enabled ("How S3 Versioning works")."""
    visibility = resources(ProcessorTimeout=timeout)["Queue"]["Properties"]["VisibilityTimeout"]
    assert (events.BELIEVED - 1) * visibility > 15 * 60


def test_the_api_answers_before_its_time_is_over() -> None:
    made = resources()
    seconds = made["ApiFunction"]["Properties"]["Timeout"]
    attempts = lambda_function._PROMPT["retries"]["total_max_attempts"]
    waits = attempts * (lambda_function._PROMPT["connect_timeout"] + lambda_function._PROMPT["read_timeout"])
    pauses = sum(2**before for before in range(attempts - 1))  # at most, by botocore.retries.standard
    assert waits + pauses < seconds
    assert 1000 * seconds < made["ApiIntegration"]["Properties"]["TimeoutInMillis"]


def test_a_new_account_has_room_for_images_and_calls() -> None:
    """Its quota of concurrency may be 10."""
    assert PARAMETERS["MaxConcurrency"]["Default"] <= 5


def test_an_image_that_kills_its_workers_is_recorded_before_its_message_is_parked() -> None:
    queues = of_type("AWS::SQS::Queue")
    redrive = queues["Queue"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == STRIKES + 1
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    days = {name: queue["MessageRetentionPeriod"] / 86400 for name, queue in queues.items()}
    assert days == {"Queue": 4, "DeadLetterQueue": 14}


def test_a_message_fails_alone_and_is_taken_within_the_bound() -> None:
    (mapping,) = of_type("AWS::Lambda::EventSourceMapping", MaxConcurrency="300").values()
    assert mapping == {
        "FunctionName": {"Ref": "Processor"},
        "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
        "BatchSize": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": "300"},
    }


def test_both_functions_run_the_one_bundle_on_what_it_was_built_for() -> None:
    for function in of_type("AWS::Lambda::Function", Architecture="arm64", Runtime="python3.14").values():
        assert (function["Architectures"], function["Runtime"]) == (["arm64"], "python3.14")
        assert function["Code"] == {"S3Bucket": GIVEN["BundleBucket"], "S3Key": GIVEN["BundleKey"]}


def test_the_functions_are_told_all_that_they_need() -> None:
    made = resources()
    names = {"IMGPIPE_STACK", "IMGPIPE_SOURCE_BUCKET", "IMGPIPE_DESTINATION_BUCKET", "IMGPIPE_CATALOG_TABLE"}
    both = {name: made[name]["Properties"] for name in ("Processor", "ApiFunction")}
    assert {name: function["Handler"] for name, function in both.items()} == {
        "Processor": "imgpipe.lambda_function.process",
        "ApiFunction": "imgpipe.lambda_function.api",
    }
    assert both["Processor"]["Environment"]["Variables"].keys() == names
    assert both["ApiFunction"]["Environment"]["Variables"].keys() == names | {"IMGPIPE_QUEUE_URL"}
    tables = {function["Environment"]["Variables"]["IMGPIPE_CATALOG_TABLE"]["Fn::Sub"] for function in both.values()}
    assert tables == {made["Catalog"]["Properties"]["TableName"]["Fn::Sub"]}


def test_every_log_has_a_group_of_its_own_that_forgets() -> None:
    groups = of_type("AWS::Logs::LogGroup", LogRetentionDays="14")
    assert {group["RetentionInDays"] for group in groups.values()} == {"14"}
    functions = of_type("AWS::Lambda::Function")
    logs = {function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()}
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    assert logs | set(references(stage["AccessLogSettings"])) == groups.keys()
    assert {function["LoggingConfig"]["LogFormat"] for function in functions.values()} == {"JSON"}


def test_data_outlives_the_stack_and_nothing_else_does() -> None:
    kept = {"SourceBucket", "SourceBucketPolicy", "DestinationBucket", "DestinationBucketPolicy", "Catalog"}
    for name, resource in TEMPLATE["Resources"].items():
        policies = (resource.get("DeletionPolicy", "Delete"), resource.get("UpdateReplacePolicy", "Delete"))
        assert policies == (("RetainExceptOnCreate", "Retain") if name in kept else ("Delete", "Delete")), name


def test_the_protected_catalog_is_made_after_all_that_can_fail() -> None:
    made = resources(**EVERYTHING)
    assert made.keys() == TEMPLATE["Resources"].keys()
    before: set[str] = set()
    ahead = ["Catalog"]
    while ahead:
        resource = made[ahead.pop()]
        depends = resource.get("DependsOn", [])
        needed = {*references(resource), *([depends] if isinstance(depends, str) else depends)} & made.keys()
        ahead += needed - before
        before |= needed
    mail = {"AlarmTopicPolicy", "AlarmSubscription"}  # Conditional, and nothing to name them by.
    assert made.keys() - before - mail == {"Catalog"}


def test_the_catalog_has_the_keys_and_the_care_that_records_need() -> None:
    catalog = resources()["Catalog"]["Properties"]
    assert catalog["KeySchema"] == [{"AttributeName": "key", "KeyType": "HASH"}]
    (feed,) = catalog["GlobalSecondaryIndexes"]
    assert feed == {
        "IndexName": "feed",
        "KeySchema": [
            {"AttributeName": "shard", "KeyType": "HASH"},
            {"AttributeName": "feed", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    assert catalog["BillingMode"] == "PAY_PER_REQUEST"
    assert catalog["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert catalog["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert catalog["DeletionProtectionEnabled"] == "true"
    assert resources(DeletionProtection="false")["Catalog"]["Properties"]["DeletionProtectionEnabled"] == "false"


def test_table_and_index_are_warmed_alike() -> None:
    catalog = resources(CatalogWarmWrites="8000")["Catalog"]["Properties"]
    warm = {"WriteUnitsPerSecond": "8000"}
    assert [catalog["WarmThroughput"], catalog["GlobalSecondaryIndexes"][0]["WarmThroughput"]] == [warm, warm]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_has_a_name_that_only_this_account_can_take(bucket: str) -> None:
    """The names of the account's regional namespace end in -ACCOUNT-REGION-an and have at most 63 characters."""
    properties = resources()[bucket]["Properties"]
    name = properties["BucketName"]["Fn::Sub"]
    assert properties["BucketNamespace"] == "account-regional"
    assert name.endswith("-${AWS::AccountId}-${AWS::Region}-an")
    longest = {"AWS::StackName": "s" * 25, "AWS::AccountId": "1" * 12, "AWS::Region": "ap-northeast-1"}
    assert len(re.sub(r"\$\{([^}]+)\}", lambda hole: longest[hole[1]], name)) <= 63


def test_old_sources_can_be_brought_back_for_as_long_as_is_said() -> None:
    source = resources(NoncurrentVersionDays="7")["SourceBucket"]["Properties"]
    assert source["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = source["LifecycleConfiguration"]["Rules"]
    assert {"NoncurrentDays": "7"} in [rule.get("NoncurrentVersionExpiration") for rule in rules]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_unfinished_uploads_are_dropped(bucket: str) -> None:
    rules = resources()[bucket]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {"DaysAfterInitiation": 7} in [rule.get("AbortIncompleteMultipartUpload") for rule in rules]
    assert all(rule["Status"] == "Enabled" for rule in rules)


def test_alarms_are_always_there_and_told_where_there_is_an_address() -> None:
    silent, told = (of_type("AWS::CloudWatch::Alarm", AlarmEmail=address) for address in ("", "a@b.example"))
    names = {"DeadLettersAlarm", "LateAlarm", "FunctionThrottlesAlarm", "CatalogThrottlesAlarm", "ApiErrorsAlarm"}
    assert silent.keys() == told.keys() == names
    assert all("AlarmActions" not in alarm for alarm in silent.values())
    assert all(alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}] for alarm in told.values())
    (subscription,) = of_type("AWS::SNS::Subscription", AlarmEmail="a@b.example").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "a@b.example")


def test_an_alarm_watches_figures_that_there_are() -> None:
    """Their names are those of the services' own lists of metrics and dimensions; a wrong one would never alarm."""
    watched = {
        name: [
            (metric["Namespace"], metric["MetricName"], *(one["Name"] for one in metric["Dimensions"]))
            for metric in (
                [query["MetricStat"]["Metric"] for query in alarm["Metrics"][1:]] if "Metrics" in alarm else [alarm]
            )
        ]
        for name, alarm in of_type("AWS::CloudWatch::Alarm").items()
    }
    assert watched == {
        "DeadLettersAlarm": [("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")],
        "LateAlarm": [("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName")],
        "FunctionThrottlesAlarm": [("AWS/Lambda", "Throttles", "FunctionName")] * 2,
        "CatalogThrottlesAlarm": [
            ("AWS/DynamoDB", "WriteThrottleEvents", "TableName"),
            ("AWS/DynamoDB", "WriteThrottleEvents", "TableName", "GlobalSecondaryIndexName"),
        ],
        "ApiErrorsAlarm": [("AWS/ApiGateway", "5xx", "ApiId")],
    }
    (dead,) = resources()["DeadLettersAlarm"]["Properties"]["Dimensions"]
    assert dead["Value"] == {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}
