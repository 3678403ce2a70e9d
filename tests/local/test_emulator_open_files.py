"""As many workers as are asked for have room for their open files, or the person is told how many have."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from imgpipe.errors import UsageError
from imgpipe.local.emulator.open_files import make_room
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
try:
    make_room({workers})
except UsageError as error:
    print(error)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


TOO_MANY = """\
26 images at once need 408 open files, and this process may have 400. Give --max-concurrency 25 or less, or raise the \
limit: ulimit -n 408
256"""


@pytest.mark.parametrize(("hard", "workers", "said"), [(400, 4, "256"), (400, 25, "400"), (400, 26, TOO_MANY)])
def test_the_limit_is_raised_as_far_as_it_may_be(hard: int, workers: int, said: str) -> None:
    program = PROGRAM.format(hard=hard, workers=workers)
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == said
