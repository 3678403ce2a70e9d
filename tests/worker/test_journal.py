"""What a worker counts is what the commands read of CloudWatch."""

import json

import pytest

from imgpipe.remote import figures
from imgpipe.worker.journal import Journal
from imgpipe.worker.ports import Record


def test_the_figures_that_are_read_are_those_that_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    Journal("photos", "request-1").report(Record(key="a/cat.jpg", status="done", updated="9999-01-01T00:00:00.000Z"))
    (described,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == figures.NAMESPACE
    assert {metric["Name"] for metric in described["Metrics"]} >= set(figures.COUNTED.values())
