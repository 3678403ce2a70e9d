"""The emulator as a whole: what is put ends as what a stack in AWS would make of it."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from emulator_case import RECIPE, Emulated, emulated, photo

from imgpipe.core import recipe_file
from imgpipe.remote.deployed import deployed_recipe
from imgpipe.remote.emulated import REGION
from imgpipe.worker.ids import to_id

IMAGES = 100
PAGE = "http://page.test"


@pytest.fixture(scope="module")
def whole() -> Iterator[Emulated]:
    with emulated(max_concurrency=4, CorsOrigins=PAGE) as running:
        yield running


def call(whole: Emulated, method: str, path: str, document: object = None, *, signed: bool = True) -> Any:
    """A call of the HTTP API; returns its status and document."""
    body = b"" if document is None else json.dumps(document).encode()
    request = AWSRequest(method, f"{whole.emulator.api}{path}", data=body, headers={"content-type": "application/json"})
    if signed:
        SigV4Auth(whole.session.credentials, "execute-api", REGION).add_auth(request)
    answer = urllib3.request(method, request.url, body=body, headers=dict(request.headers.items()))
    return answer.status, answer.json()


def bucket_url(whole: Emulated) -> str:
    return f"{whole.emulator.endpoint}/{whole.emulator.source_bucket}"


def test_what_is_put_as_fast_as_a_client_can_ends_as_just_so_many_records_and_renditions(whole: Emulated) -> None:
    keys = [f"many/{number:03}.jpg" for number in range(IMAGES)]
    data = photo()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: whole.put(key, data), keys))
    whole.hear(lambda: whole.records.keys() >= set(keys))
    whole.until_empty()
    told = whole.pipeline.catalog.page(1000, prefix="many/").records
    assert Counter(record.status for record in told) == {"done": IMAGES}
    assert sorted(record.key for record in told) == keys
    renditions = {made.key for record in told for made in record.renditions}
    assert len(renditions) == IMAGES * len(RECIPE.presets)
    assert {key for key in whole.stored() if "/many/" in key} == renditions
    assert whole.waiting(whole.pipeline.dead_letter_queue_url) == 0


def test_overwrites_and_removals_end_as_what_was_last(whole: Emulated) -> None:
    versions: dict[str, str] = {}
    whole.put("last/gone.jpg", photo())
    whole.settled("last/gone.jpg")
    with whole.visibility(4):
        for shade in range(4):
            for key in ("kept.jpg", "gone.jpg"):
                versions[key] = whole.put(f"last/{key}", photo(shade=shade))
        whole.delete("last/gone.jpg")
    kept, gone = (whole.pipeline.catalog.get(f"last/{key}") for key in ("kept.jpg", "gone.jpg"))
    assert kept is not None
    assert gone is not None
    assert (kept.record.status, kept.record.version) == ("done", versions["kept.jpg"])
    assert (gone.record.status, gone.record.renditions) == ("deleted", ())
    assert {key for key in whole.stored() if "/last/" in key} == {made.key for made in kept.record.renditions}


def test_a_bad_image_ends_as_failed_and_no_message_comes_again(whole: Emulated) -> None:
    whole.put("bad.jpg", photo()[:300])
    record = whole.settled("bad.jpg")
    assert record.error is not None
    assert record.error.code == "truncated"
    whole.until_empty()
    assert whole.waiting(whole.pipeline.dead_letter_queue_url) == 0


def test_the_api_takes_an_upload_and_tells_what_became_of_it(whole: Emulated) -> None:
    data = photo(shade=9)
    asked = {"name": "a b+ü.jpg", "content_type": "image/jpeg", "size": len(data)}
    status, offered = call(whole, "POST", "/images", asked)
    assert status == 201, offered
    form = offered["upload"]
    sent = urllib3.request("POST", form["url"], fields={**form["fields"], "file": ("x.jpg", data)})
    assert sent.status == 204, sent.data
    assert whole.settled(offered["key"]).status == "done"
    status, shown = call(whole, "GET", f"/images/{offered['id']}")
    assert (status, shown["status"]) == (200, "done")
    link = shown["renditions"][0]["url"]
    assert urllib3.request("GET", link).data.startswith(b"\xff\xd8")
    assert urllib3.request("GET", link.partition("?")[0]).status == 403
    assert call(whole, "GET", "/health", signed=False) == (403, {"message": "Forbidden"})


def test_the_api_reprocesses_and_removes(whole: Emulated) -> None:
    whole.put("asked.jpg", photo())
    first = whole.settled("asked.jpg")
    path = f"/images/{to_id('asked.jpg')}"
    assert call(whole, "POST", f"{path}/reprocess")[0] == 202
    assert whole.settled("asked.jpg").updated > first.updated
    assert call(whole, "DELETE", path)[0] == 202
    assert whole.settled("asked.jpg").status == "deleted"
    assert not {key for key in whole.stored() if "/asked" in key}


def test_a_web_page_of_a_given_origin_may_call_the_api_and_send_to_the_bucket(whole: Emulated) -> None:
    for url, method in ((f"{whole.emulator.api}/images", "POST"), (bucket_url(whole), "POST")):
        for origin, allowed in ((PAGE, PAGE), ("http://other.test", None)):
            headers = {"Origin": origin, "Access-Control-Request-Method": method}
            answer = urllib3.request("OPTIONS", url, headers=headers)
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed, (url, answer.data)


def test_lambda_s_own_api_invokes_the_functions_that_are_here(whole: Emulated) -> None:
    client = whole.session.client("lambda")
    answer = client.invoke(FunctionName="imgpipe-processor", Payload=b'{"Records": []}')
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    answer = client.invoke(FunctionName="imgpipe-processor", Payload=b"{}")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "MessageError"
    whole.hear(lambda: any("no batch from a queue" in trouble for trouble in whole.troubles))
    assert client.invoke(FunctionName="imgpipe-processor", InvocationType="DryRun")["StatusCode"] == 204


def test_a_poisoned_message_is_parked_after_the_template_s_count_of_receives(whole: Emulated) -> None:
    sqs, queue = whole.session.client("sqs"), whole.pipeline.queue_url
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]
    receives = json.loads(told["RedrivePolicy"])["maxReceiveCount"]
    whole.troubles.clear()
    with whole.visibility(1):
        sqs.send_message(QueueUrl=queue, MessageBody="no event of S3's")
        whole.hear(lambda: whole.parked > 0)
    parked = sqs.receive_message(QueueUrl=whole.pipeline.dead_letter_queue_url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in parked] == ["no event of S3's"]
    *causes, fate = whole.troubles
    assert len(causes) == receives
    assert fate == "imgpipe-processor reported a failure: its message is parked in the dead-letter queue."
    assert whole.parked == 1
    sqs.purge_queue(QueueUrl=whole.pipeline.dead_letter_queue_url)


def test_the_functions_logs_are_in_the_stack_s_log_groups(whole: Emulated) -> None:
    whole.put("logged.jpg", photo())
    whole.settled("logged.jpg")
    logs = whole.session.client("logs")
    group = whole.pipeline.stack.output("ProcessorLogGroup")
    told = logs.filter_log_events(logGroupName=group, filterPattern="logged.jpg")["events"]
    assert any("logged.jpg is done." in event["message"] for event in told)


def test_another_recipe_is_deployed_in_place(whole: Emulated, tmp_path: Any) -> None:
    file = tmp_path / "imgpipe.toml"
    file.write_text('[presets.tiny]\nwidth = 16\nheight = 16\nformat = "png"\n')
    recipe = recipe_file.load(file)
    whole.put("deployed.jpg", photo())
    assert len(whole.settled("deployed.jpg").renditions) == len(RECIPE.presets)
    whole.emulator.deploy(recipe)
    assert whole.pipeline.recipe_hash == recipe.hash
    assert deployed_recipe(whole.pipeline) == recipe
    whole.put("deployed.jpg", photo(shade=1))
    record = whole.settled("deployed.jpg")
    assert (record.recipe, [made.preset for made in record.renditions]) == (recipe.hash, ["tiny"])
    assert {key for key in whole.stored() if "/deployed" in key} == {record.renditions[0].key}
    assert call(whole, "GET", "/recipe")[1]["hash"] == recipe.hash
    whole.emulator.deploy(RECIPE)
