"""Workers that die or hang: nothing that they had in hand is lost."""

import os
import signal
import time

from emulator_case import SECONDS, emulated, photo, workers

ENDS = {"hung.jpg": "Sandbox.Timedout", "killed.jpg": "Runtime.ExitError"}


def test_what_a_hanging_and_a_killed_worker_had_in_hand_is_done_by_others() -> None:
    with emulated(max_concurrency=2, timeout=4) as running, running.visibility(6):
        (idle,) = workers()
        os.kill(idle, signal.SIGSTOP)
        running.put("hung.jpg", photo())
        running.put("killed.jpg", photo(4000, 3000))
        ends = time.monotonic() + SECONDS
        while not (entry := running.pipeline.catalog.get("killed.jpg")):
            assert time.monotonic() < ends
        assert entry.record.status == "processing"
        (killed,) = workers() - {idle}
        os.kill(killed, signal.SIGKILL)
        running.hear(lambda: {"hung.jpg", "killed.jpg"} <= running.records.keys())
        assert {running.records[key].status for key in ("hung.jpg", "killed.jpg")} == {"done"}
        words = {f"imgpipe-processor ended with {end} at {key}: its message comes again." for key, end in ENDS.items()}
        assert words == set(running.troubles)
        assert not workers() & {idle, killed}
        running.until_empty()
        assert running.waiting(running.pipeline.dead_letter_queue_url) == 0
    assert not workers()
