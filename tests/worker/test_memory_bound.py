"""What a worker may take of memory, in a process of its own, since the bound cannot be taken away again."""

import subprocess
import sys

import pytest

BEGIN = """
import io
from imgpipe.core.recipe_file import load
from imgpipe.errors import ImageError
from imgpipe.worker.memory import Memory
from PIL import Image

file = io.BytesIO()
Image.new("RGB", (6000, 6000)).save(file, "PNG")
recipe = load(None)
"""


def run(program: str) -> str:
    made = subprocess.run(
        [sys.executable, "-c", BEGIN + program], capture_output=True, text=True, check=True, timeout=60
    )
    return made.stdout.strip()


def test_an_image_that_would_take_more_than_is_left_is_refused_before_it_is_decoded() -> None:
    program = """
try:
    Memory(250).render(file.getvalue(), recipe)
    print("header read")
    list(Memory(250).render(file.getvalue(), recipe).outputs)
except ImageError as error:
    print(error.code, error.message)
print(len(list(Memory(1000).render(file.getvalue(), recipe).outputs)), recipe.limits.max_memory_megabytes)
"""
    header, refused, rendered = run(program).splitlines()
    assert header == "header read"
    assert refused.startswith("out_of_memory Decoding the image's 6000×6000 pixels would take about 144 MB")
    assert rendered == "2 2048.0"


def test_what_takes_more_than_there_is_fails_and_the_process_lives() -> None:
    program = """
Memory(400).bound()
try:
    bytearray(400_000_000)
except MemoryError:
    print("refused", len(bytearray(50_000_000)))
"""
    assert run(program) == "refused 50000000"


@pytest.mark.skipif(sys.platform != "linux", reason="only there is the process bounded")
@pytest.mark.parametrize("limits", ["(limit, hard)", "(limit, limit)"])
def test_a_limit_that_the_process_has_already_is_kept(limits: str) -> None:
    program = f"""
import resource
hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
limit = 600_000_000
resource.setrlimit(resource.RLIMIT_DATA, {limits})
Memory(2000).bound()
print(resource.getrlimit(resource.RLIMIT_DATA)[0] == limit)
Memory(300).bound()
print(resource.getrlimit(resource.RLIMIT_DATA)[0] < limit)
"""
    assert run(program) == "True\nTrue"
