import errno

from hypothesis import given
from hypothesis import strategies as st

from imgpipe.errors import Busy
from imgpipe.local.outages import trouble
from imgpipe.local.run_events import Event, Finished, Scanned, Tally, Trouble, Unchanged, Vanished
from imgpipe.worker.ports import Record

OUTCOMES: list[Event] = [
    Finished(Record(key="a", status="done", updated="")),
    Finished(Record(key="a", status="failed", updated="")),
    Unchanged("a"),
    Vanished("a", late=True),
    Trouble("a", "It fails.", "Mend it."),
]


@given(st.lists(st.sampled_from(OUTCOMES), max_size=9), st.integers(0, 9))
def test_every_image_is_counted_once(came: list[Event], left: int) -> None:
    tally = Tally()
    for event in [Scanned(99, len(came) + left, 5, 3, 1), Vanished("gone"), *came]:
        tally.add(event)
    counted = tally.summary()
    assert counted.left == left
    late = counted.vanished - 1
    assert counted.done + counted.failed + counted.unchanged - 5 + counted.troubles + late == len(came)
    assert (counted.total, counted.other) == (99, 3)


def test_trouble_with_more_than_images_leaves_none_below_nothing() -> None:
    tally = Tally()
    tally.add(Trouble("index.html", "It fails.", "Mend it."))
    assert tally.summary().left == 0


def test_an_outage_says_what_is_wrong_and_what_to_do() -> None:
    full = trouble("a.jpg", OSError(errno.ENOSPC, "No space left on device", "out/web/a.jpg"))
    assert full.message == "The system says: No space left on device: out/web/a.jpg."
    assert full.remedy == "Make room on the disk and run the command again."
    assert full.ends_run
    fault = trouble("a.jpg", ZeroDivisionError("by zero"))
    assert "ZeroDivisionError: by zero" in fault.message
    assert "--debug" in fault.remedy
    assert fault.traceback
    assert not trouble("a.jpg", Busy("a.jpg", 1.0)).ends_run


def test_an_outage_can_be_told_whatever_a_file_is_called() -> None:
    told = trouble("a.jpg", PermissionError(errno.EACCES, "Permission denied", "caf\udce9.jpg"))
    assert told.message.encode()
    assert told.traceback is not None
    assert told.traceback.encode()
