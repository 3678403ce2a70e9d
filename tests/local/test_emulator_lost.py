"""Workers that die or hang: nothing that they had in hand is lost."""

import os
import signal
import time

from emulator_case import SECONDS, emulated, photo, workers


def test_an_image_in_the_hands_of_a_killed_and_of_a_hanging_worker_is_done_by_another() -> None:
    with emulated(max_concurrency=2, timeout=2) as running:
        running.put("first.jpg", photo())
        running.settled("first.jpg")
        (idle,) = workers()
        os.kill(idle, signal.SIGSTOP)
        running.put("hung.jpg", photo())
        running.hear(lambda: bool(running.troubles))
        assert "Sandbox.Timedout" in running.troubles[0]
        assert idle not in workers()
        assert running.settled("hung.jpg").status == "done"

        running.put("killed.jpg", photo(4000, 3000))
        ends = time.monotonic() + SECONDS
        while not (entry := running.pipeline.catalog.get("killed.jpg")):
            assert time.monotonic() < ends
        assert entry.record.status == "processing"
        for worker in workers():
            os.kill(worker, signal.SIGKILL)
        assert running.settled("killed.jpg").status == "done"
        running.until_empty()
        assert running.waiting(running.pipeline.dead_letter_queue_url) == 0
        assert {"hung.jpg", "killed.jpg"} <= {key.partition("/")[2] for key in running.keys()}
    assert not workers()
