"""Who may do what: every route, every role, every policy, every key, held against what is explained here."""

from typing import Any

import pytest
from template_case import JWT, KEY, of_type, references, resources, statements

from imgpipe.worker import api

TABLE = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${AWS::StackName}-catalog"

ALLOWED: dict[str, dict[str, tuple[object, str]]] = {
    "ProcessorRole": {
        "sqs:ReceiveMessage": ({"Fn::GetAtt": ["Queue", "Arn"]}, "the mapping polls"),
        "sqs:DeleteMessage": ({"Fn::GetAtt": ["Queue", "Arn"]}, "what succeeded"),
        "sqs:GetQueueAttributes": ({"Fn::GetAtt": ["Queue", "Arn"]}, "the mapping reads the visibility timeout"),
        "s3:GetObject": ({"Fn::Sub": "${SourceBucket.Arn}/*"}, "read sources, and HEAD them"),
        "s3:ListBucket": ({"Fn::GetAtt": ["SourceBucket", "Arn"]}, "a missing source is 404, not 403"),
        "s3:PutObject": ({"Fn::Sub": "${DestinationBucket.Arn}/*"}, "store renditions"),
        "s3:DeleteObject": ({"Fn::Sub": "${DestinationBucket.Arn}/*"}, "drop renditions"),
        "dynamodb:GetItem": ({"Fn::Sub": TABLE}, "read the record"),
        "dynamodb:PutItem": ({"Fn::Sub": TABLE}, "claim and settle, by compare-and-set"),
        "logs:CreateLogStream": ({"Fn::GetAtt": ["ProcessorLogGroup", "Arn"]}, "a stream for each environment"),
        "logs:PutLogEvents": ({"Fn::GetAtt": ["ProcessorLogGroup", "Arn"]}, "a line for each image"),
    },
    "ApiRole": {
        "s3:GetObject": (
            [{"Fn::Sub": "${SourceBucket.Arn}/*"}, {"Fn::Sub": "${DestinationBucket.Arn}/*"}],
            "HEAD sources, and sign links to renditions",
        ),
        "s3:PutObject": ({"Fn::Sub": "${SourceBucket.Arn}/*"}, "sign uploads"),
        "s3:DeleteObject": ({"Fn::Sub": "${SourceBucket.Arn}/*"}, "DELETE /images/{id}"),
        "s3:ListBucket": ({"Fn::GetAtt": ["SourceBucket", "Arn"]}, "a missing source is 404, not 403"),
        "dynamodb:GetItem": ({"Fn::Sub": TABLE}, "GET /images/{id}"),
        "dynamodb:Query": ({"Fn::Sub": f"{TABLE}/index/feed"}, "GET /images"),
        "sqs:SendMessage": ({"Fn::GetAtt": ["Queue", "Arn"]}, "POST /images/{id}/reprocess"),
        "logs:CreateLogStream": ({"Fn::GetAtt": ["ApiLogGroup", "Arn"]}, "a stream for each environment"),
        "logs:PutLogEvents": ({"Fn::GetAtt": ["ApiLogGroup", "Arn"]}, "what went wrong"),
    },
}
"""Role -> action -> on what, and what for."""

ROUTES = {f"{route.method} {route.path}": route.changes for route in api.ROUTES}
"""Route -> whether it changes something."""


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_what_is_explained_and_no_more(role: str) -> None:
    roles = of_type("AWS::IAM::Role")
    assert roles.keys() == ALLOWED.keys()
    may: dict[str, list[Any]] = {}
    for statement in statements(roles[role]):
        assert statement["Effect"] == "Allow"
        for action in statement["Action"]:
            may.setdefault(action, []).extend(statement["Resource"])
    explained = {action: on if isinstance(on, list) else [on] for action, (on, _) in ALLOWED[role].items()}
    assert may == explained


@pytest.mark.parametrize("role", ALLOWED)
def test_only_lambda_takes_a_role(role: str) -> None:
    (trust,) = of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def test_each_function_has_the_role_of_its_own() -> None:
    functions = of_type("AWS::Lambda::Function")
    assert {name: function["Role"]["Fn::GetAtt"][0] for name, function in functions.items()} == {
        "Processor": "ProcessorRole",
        "ApiFunction": "ApiRole",
    }


@pytest.mark.parametrize("key", [{}, KEY])
def test_nothing_is_allowed_on_everything(key: dict[str, str]) -> None:
    allowed = [
        statement
        for resource in resources(AlarmEmail="a@b.example", **key).values()
        for statement in statements(resource["Properties"])
        if statement["Effect"] == "Allow"
    ]
    assert len(allowed) > 10
    for statement in allowed:
        assert statement.get("Principal") != "*", statement
        assert not [action for action in statement["Action"] if "*" in action], statement
        assert "*" not in statement["Resource"], statement


@pytest.mark.parametrize(("policy", "service"), [("QueuePolicy", "s3"), ("AlarmTopicPolicy", "cloudwatch")])
def test_a_service_is_let_in_for_this_account_alone(policy: str, service: str) -> None:
    (allowed,) = (
        statement
        for statement in statements(resources(AlarmEmail="a@b.example")[policy]["Properties"])
        if statement["Effect"] == "Allow"
    )
    assert allowed["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_the_queue_lets_in_the_source_bucket_without_waiting_for_it() -> None:
    made = resources()
    policy = made["QueuePolicy"]["Properties"]
    assert set(references(policy)) & made.keys() == {"Queue"}
    (allowed,) = (statement for statement in statements(policy) if statement["Effect"] == "Allow")
    name = made["SourceBucket"]["Properties"]["BucketName"]["Fn::Sub"]
    assert allowed["Condition"]["ArnEquals"] == {"aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}}
    assert allowed["Action"] == ["sqs:SendMessage"]


def test_nothing_is_reached_without_tls() -> None:
    made = resources(AlarmEmail="a@b.example")
    guarded = set()
    for resource in made.values():
        for statement in statements(resource["Properties"]):
            if statement["Effect"] == "Deny":
                assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                assert statement["Principal"] == "*"
                guarded |= set(references(statement["Resource"]))
                if resource["Type"] == "AWS::S3::BucketPolicy":
                    assert len(statement["Resource"]) == 2, "the bucket and its objects"
    reached = {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic"}
    assert guarded == {name for name, resource in made.items() if resource["Type"] in reached}


@pytest.mark.parametrize("bucket", ["SourceBucket", "DestinationBucket"])
def test_a_bucket_is_private(bucket: str) -> None:
    properties = resources()[bucket]["Properties"]
    assert properties["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert "AccessControl" not in properties


@pytest.mark.parametrize(
    ("key", "default"),
    [({}, {"SSEAlgorithm": "AES256"}), (KEY, {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY["KmsKeyArn"]})],
)
def test_everything_is_encrypted_with_the_key_or_without(key: dict[str, str], default: dict[str, str]) -> None:
    made = resources(**key)
    for bucket in ("SourceBucket", "DestinationBucket"):
        (rule,) = made[bucket]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == default
        assert rule.get("BucketKeyEnabled", False) == bool(key)
    table = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY["KmsKeyArn"]} if key else None
    assert made["Catalog"]["Properties"].get("SSESpecification") == table
    assert {queue["SqsManagedSseEnabled"] for queue in of_type("AWS::SQS::Queue", **key).values()} == {True}
    granted = {
        role: properties.get("ManagedPolicyArns") for role, properties in of_type("AWS::IAM::Role", **key).items()
    }
    assert granted == dict.fromkeys(ALLOWED, [{"Ref": "KeyPolicy"}] if key else None)


def test_the_key_is_used_through_s3_and_dynamodb_alone() -> None:
    policy = statements(resources(**KEY)["KeyPolicy"]["Properties"])
    services = {
        statement["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"]: set(statement["Action"])
        for statement in policy
    }
    objects = {"kms:Decrypt", "kms:GenerateDataKey"}
    records = objects | {
        "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
    }  # fmt: skip
    assert services == {
        "s3.${AWS::Region}.${AWS::URLSuffix}": objects,
        "dynamodb.${AWS::Region}.${AWS::URLSuffix}": records,
    }
    assert all(statement["Resource"] == [KEY["KmsKeyArn"]] for statement in policy)


def routes(**parameters: str) -> dict[str, Any]:
    return {route["RouteKey"]: route for route in of_type("AWS::ApiGatewayV2::Route", **parameters).values()}


def test_the_routes_are_those_that_the_function_answers() -> None:
    assert routes().keys() == ROUTES.keys()
    assert {route["Target"]["Fn::Sub"] for route in routes().values()} == {"integrations/${ApiIntegration}"}


def test_by_default_every_route_wants_a_signature() -> None:
    for route in routes().values():
        assert route["AuthorizationType"] == "AWS_IAM"
        assert not {"AuthorizerId", "AuthorizationScopes"} & route.keys()
    assert "JwtAuthorizer" not in resources()


@pytest.mark.parametrize("scope", ["", "images/write"])
def test_with_jwt_every_route_wants_a_token_and_changes_want_the_scope(scope: str) -> None:
    for key, route in routes(**JWT, JwtScope=scope).items():
        assert route["AuthorizationType"] == "JWT"
        assert route["AuthorizerId"] == {"Ref": "JwtAuthorizer"}
        # An empty list, as an update without the property leaves the scope that was there.
        assert route.get("AuthorizationScopes") == (([scope] if scope else []) if ROUTES[key] else None)
    authorizer = resources(**JWT)["JwtAuthorizer"]["Properties"]
    assert authorizer["AuthorizerType"] == "JWT"
    assert authorizer["JwtConfiguration"] == {"Issuer": JWT["JwtIssuer"], "Audience": ["web", "mobile"]}


def test_only_this_api_calls_its_function() -> None:
    (permission,) = of_type("AWS::Lambda::Permission").values()
    assert permission["FunctionName"] == {"Ref": "ApiFunction"}
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${HttpApi}/*")


def test_the_api_is_throttled_and_its_calls_are_logged() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage", ApiRequestsPerSecond="50").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": "50", "ThrottlingBurstLimit": "50"}
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["AccessLogGroup", "Arn"]}
    assert "\n" not in stage["AccessLogSettings"]["Format"], "API Gateway takes one line"


def test_pages_of_other_origins_are_shut_out_unless_named() -> None:
    for name in ("HttpApi", "SourceBucket", "DestinationBucket"):
        assert "CorsConfiguration" not in resources()[name]["Properties"]
    made = resources(CorsOrigins="https://a.example,https://b.example")
    named = ["https://a.example", "https://b.example"]
    assert made["HttpApi"]["Properties"]["CorsConfiguration"]["AllowOrigins"] == named
    methods = {}
    for name in ("SourceBucket", "DestinationBucket"):
        (rule,) = made[name]["Properties"]["CorsConfiguration"]["CorsRules"]
        assert rule["AllowedOrigins"] == named
        methods[name] = rule["AllowedMethods"]
    assert methods == {"SourceBucket": ["GET", "HEAD", "POST"], "DestinationBucket": ["GET", "HEAD"]}
