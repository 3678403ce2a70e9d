"""What is heard of the emulator's functions: each result once, in whatever order they say it."""

import msgspec

from imgpipe.local.emulator.heard import Ear, Trouble
from imgpipe.worker.ports import Record, Status


def line(key: str, second: int, status: Status = "done") -> str:
    record = Record(key=key, status=status, updated=f"2026-11-22T10:00:{second:02}.000Z")
    return msgspec.json.encode(record).decode()


def heard(ear: Ear, *lines: str) -> list[tuple[str, str]]:
    return [(told.key, told.updated[17:19]) for told in ear.hear(lines) if isinstance(told, Record)]


def test_what_is_said_again_after_it_changed_is_no_news() -> None:
    assert heard(Ear(), line("a", 1), line("a", 2), line("a", 1), line("a", 2)) == [("a", "01"), ("a", "02")]


def test_each_key_has_its_own_news() -> None:
    assert heard(Ear(), line("a", 2), line("b", 1), line("a", 3)) == [("a", "02"), ("b", "01"), ("a", "03")]


def test_only_the_keys_of_late_are_remembered() -> None:
    ear = Ear(remembered=2)
    assert len(heard(ear, line("a", 1), line("b", 1), line("a", 2), line("c", 1))) == 4
    assert heard(ear, line("a", 2), line("c", 1)) == []
    assert heard(ear, line("b", 1)) == [("b", "01")]


def test_what_is_no_result_is_trouble_or_nothing() -> None:
    lines = ['{"level": "ERROR", "message": "no way"}', '{"level": "INFO", "message": "hello"}', "plain", line("a", 1)]
    first, second = Ear().hear(lines)
    assert first == Trouble("no way")
    assert isinstance(second, Record)
