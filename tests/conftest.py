"""An AWS account for the tests that need one: moto's server, empty for each test."""

import functools
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
import yaml
from browser_case import chromium as chromium
from browser_case import window as window
from moto.server import ThreadedMotoServer
from page_case import paged as paged
from running_stack import running as running
from stack_account import Account, isolate

# Of what a test with a stack takes, half would be reading the services' models anew for each client, and moto's reading
# of the template in Python.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
yaml.Loader = yaml.loader.Loader = yaml.CLoader


def pytest_configure(config: pytest.Config) -> None:
    # moto leaves out what it does not know, and says so for each resource.
    config.addinivalue_line("filterwarnings", "ignore:Tried to parse:UserWarning")


@pytest.fixture(scope="session")
def aws_server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing of this machine's own AWS settings; returns where a configuration file would be read."""
    return isolate(monkeypatch, tmp_path)


@pytest.fixture
def account(aws_server: str, no_aws: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An empty account, addressed and signed in by the environment."""
    return Account(aws_server, monkeypatch)
