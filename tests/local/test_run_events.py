import errno

from hypothesis import given
from hypothesis import strategies as st

from imgpipe.errors import Busy
from imgpipe.local.outages import trouble
from imgpipe.local.run_events import Event, Finished, Postponed, Scanned, Tally, Trouble, Unchanged, Vanished, Would
from imgpipe.worker.ports import Record


def outcomes(key: str) -> list[Event]:
    return [
        Finished(Record(key=key, status="done", updated="")),
        Finished(Record(key=key, status="failed", updated="")),
        Unchanged(key),
        Vanished(key, late=True),
        Trouble(key, "It fails.", "Mend it."),
    ]


@given(st.lists(st.integers(0, 4), max_size=9), st.integers(0, 9))
def test_every_image_is_counted_once(chosen: list[int], left: int) -> None:
    came = [outcomes(str(number))[kind] for number, kind in enumerate(chosen)]
    tally = Tally()
    for event in [Scanned(99, len(came) + left, 5, 3, 1), Vanished("gone"), *came]:
        tally.add(event)
    counted = tally.summary()
    assert counted.left == left
    late = counted.vanished - 1
    assert counted.done + counted.failed + counted.unchanged - 5 + counted.troubles + late == len(came)
    assert (counted.total, counted.other) == (99, 3)


@given(st.lists(st.sampled_from([0, 1, 4]), min_size=1, max_size=9))
def test_an_image_that_is_done_again_counts_by_what_came_of_it_last(chosen: list[int]) -> None:
    tally = Tally()
    for kind in chosen:
        for event in (Scanned(1, 1, 0, 0, 0), Postponed("a"), Scanned(1, 1, 0, 0, 0), outcomes("a")[kind]):
            tally.add(event)
    counted = tally.summary()
    last = (counted.done, counted.failed, 0, 0, counted.troubles)
    assert [kind for kind, count in enumerate(last) if count] == chosen[-1:]
    assert sum(last) == 1
    assert counted.left == 0


def test_trouble_with_what_is_no_image_costs_none() -> None:
    tally = Tally()
    for event in (Scanned(2, 2, 0, 0, 0), Trouble("index.html", "It fails.", "Mend it.", image=False)):
        tally.add(event)
    counted = tally.summary()
    assert (counted.left, counted.troubles, counted.other_troubles) == (2, 0, 1)


def test_a_dry_run_counts_what_would_fail_and_what_is_gone() -> None:
    tally = Tally()
    for event in (Scanned(3, 2, 1, 0, 1), Would("a", "new"), Would("b", "unchanged"), Would("c", "fail")):
        tally.add(event)
    tally.add(Would("d", "vanished"))
    counted = tally.summary()
    assert (counted.left, counted.unchanged, counted.failed, counted.vanished) == (1, 1, 1, 1)


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


def test_a_sentence_ends_with_one_full_stop() -> None:
    assert trouble("a.jpg", ValueError("It is 5.")).message.endswith("It is 5.")
    assert trouble("a.jpg", OSError(errno.EIO, "No.", "a.jpg")).message == "The system says: No: a.jpg."


def test_an_outage_can_be_told_whatever_a_file_is_called() -> None:
    told = trouble("a.jpg", PermissionError(errno.EACCES, "Permission denied", "caf\udce9\ud800.jpg"))
    assert told.message == r"The system says: Permission denied: caf\xe9\ud800.jpg."
    assert told.traceback is not None
    assert told.traceback.encode()
