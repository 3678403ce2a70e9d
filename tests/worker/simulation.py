"""A world of several workers, one queue and one clock, in which a tape of bytes decides everything that happens.

Workers are threads of which one runs at a time: each waits before every call of a store or the catalog until the tape
lets it go on, so any interleaving can come up, and the same tape always plays the same story. The tape also decides
when a worker dies (with the call done or not), when a call fails (done or not), when sources change, when messages come
twice, and how time goes. A byte of 0 is always the quiet choice, and so is all that follows the tape's end.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeVar

from imgpipe.adapters.memory import MemoryCatalog, MemoryStore
from imgpipe.core.pipeline import Output, Rendering
from imgpipe.core.recipe import Format, Preset, Recipe
from imgpipe.errors import ImageError
from imgpipe.worker.events import BELIEVED, Job
from imgpipe.worker.ports import Blob, Catalog, Claim, Entry, Record, Stat, Store
from imgpipe.worker.process import process

KEYS: Final = ("a.jpg", "a")
KINDS: Final = ("jpeg", "png", "webp", "BAD", "HALF")
RECIPES: Final = (
    Recipe(presets=(Preset(name="web", width=10), Preset(name="thumb", width=1, format="webp"))),
    Recipe(presets=(Preset(name="thumb", width=1), Preset(name="big", width=99, format="png"))),
)
DEADLINE: Final = 90
LEASE: Final = 100
VISIBILITY: Final = 120
RETRY: Final = 40
BLIND: Final = 2 * RETRY
"""How long after a put its object may not be seen; the third receive of its message is later."""

T = TypeVar("T")


def fake_render(data: bytes, recipe: Recipe) -> Rendering:
    """Renditions that say what they were made of. `BAD` cannot be opened, `HALF` ends after its first rendition."""
    kind = data.partition(b":")[0].decode()
    if kind == "BAD":
        raise ImageError("corrupt", "It is bad.")
    source = Format.JPEG if kind == "HALF" else Format(kind)

    def outputs() -> Iterator[Output]:
        for number, preset in enumerate(recipe.presets):
            if number and kind == "HALF":
                raise ImageError("truncated", "It ends here.")
            format = source if preset.format == "keep" else Format(preset.format)
            yield Output(preset.name, format, 1, 1, made_of(recipe.hash, preset.name, data), False, ())

    return Rendering(source, 1, 1, outputs())


def made_of(recipe_hash: str | None, preset: str, data: bytes) -> bytes:
    return f"{recipe_hash} {preset} ".encode() + data


class Fault(Enum):
    """What happens to a call."""

    NONE = "it is done"
    LOST = "it is not done, and fails"
    ANSWER_LOST = "it is done, and fails"
    DEATH = "it is not done, and the worker dies"
    DEATH_AFTER = "it is done, and the worker dies"
    UNSEEN = "it does not find what was put a moment ago"


class Died(BaseException):
    """The worker's process is gone."""


class Worker:
    """A worker at one message, standing still before its next call."""

    def __init__(self, world: "World", message: "Message") -> None:
        self.message = message
        self.started = world.now
        self.finished = False
        self.error: BaseException | None = None
        self.fault = Fault.NONE
        self._dead = False
        self._go = threading.Semaphore(0)
        self._stands = threading.Semaphore(0)
        self._recipe = world.recipe
        self._thread = threading.Thread(target=self._work, args=(world,), daemon=True)
        self._thread.start()
        self._stands.acquire()

    def step(self, fault: Fault) -> None:
        self.fault = fault
        self._go.release()
        self._stands.acquire()
        if self.finished:
            self._thread.join()

    def call(self, do: Callable[[], T]) -> T:
        if not self._dead:
            self._stands.release()
            self._go.acquire()
            self._dead = self.fault in (Fault.DEATH, Fault.DEATH_AFTER)
            if self.fault is not Fault.LOST and self.fault is not Fault.DEATH:
                result = do()
                if self.fault in (Fault.NONE, Fault.UNSEEN):
                    return result
        if self._dead:
            raise Died
        raise OSError("an outage")

    def _work(self, world: "World") -> None:
        sources, renditions = _Sources(self, world.sources, world), _Store(self, world.renditions)
        catalog = _Catalog(self, world.catalog)
        job = self.message.job()
        try:
            process(
                job, sources, renditions, catalog, self._recipe,
                lease=LEASE, clock=lambda: world.now, render=fake_render,
            )  # fmt: skip
        except BaseException as error:
            self.error = error
        self.finished = True
        self._stands.release()


@dataclass
class _Store:
    worker: Worker
    store: Store

    def stat(self, key: str, known: str | None = None) -> Stat | None:
        return self.worker.call(lambda: self.store.stat(key, known))

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        return self.worker.call(lambda: self.store.read(key, limit, known))

    def write(self, key: str, data: bytes, media_type: str) -> None:
        self.worker.call(lambda: self.store.write(key, data, media_type))

    def delete(self, keys: Collection[str]) -> None:
        # One by one, so that a fault can come in between.
        for key in sorted(keys):
            self.worker.call(lambda key=key: self.store.delete([key]))  # type: ignore[misc]

    def is_gone(self, key: str) -> bool:
        return self.worker.call(lambda: self.store.is_gone(key))


@dataclass
class _Sources(_Store):
    """A bucket whose versioning was just enabled: what was put lately may not be seen, a delete marker always is."""

    world: "World"

    def stat(self, key: str, known: str | None = None) -> Stat | None:
        return self.worker.call(lambda: None if self._is_unseen(key) else self.store.stat(key, known))

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        return self.worker.call(lambda: None if self._is_unseen(key) else self.store.read(key, limit, known))

    def _is_unseen(self, key: str) -> bool:
        # Only who was told of the put is blinded: that others are not told anything else is S3's to promise.
        lately = self.world.now < self.world.put_at.get(key, 0) + BLIND
        return self.worker.fault is Fault.UNSEEN and lately and self.worker.message.job().expected


@dataclass
class _Catalog:
    worker: Worker
    catalog: Catalog

    def get(self, key: str) -> Entry | None:
        return self.worker.call(lambda: self.catalog.get(key))

    def put(self, record: Record, revision: int | None) -> int:
        return self.worker.call(lambda: self.catalog.put(record, revision))


@dataclass
class Message:
    key: str
    force: bool
    visible: float
    receives: int = 0
    put: bool = False

    def job(self) -> Job:
        return Job(self.key, self.force, expected=self.put and self.receives < BELIEVED)


@dataclass
class World:
    tape: bytes
    now: float = 1_000_000
    sources: MemoryStore = field(default_factory=MemoryStore)
    renditions: MemoryStore = field(default_factory=MemoryStore)
    catalog: MemoryCatalog = field(default_factory=MemoryCatalog)
    queue: list[Message] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    recipe: Recipe = RECIPES[0]
    recipe_changed: bool = False
    faults: int = 0
    put_at: dict[str, float] = field(default_factory=dict)
    history: dict[str, bytes] = field(default_factory=dict)
    """Version -> source."""

    def play(self) -> None:
        """Play the tape, then let the queue run dry without further faults, and check what is left."""
        try:
            self._put(KEYS[0], b"jpeg:0")
            self._play_tape()
            self._drain()
            if self.recipe_changed:
                # A worker that began before the change may have been the last one.
                self._send_all()
                self._drain()
            self._check_end(self.faults)
            self._send_all()
            self._drain()
            self._check_end(0)
        finally:
            for worker in self.workers:
                while not worker.finished:
                    worker.step(Fault.DEATH)

    def _play_tape(self) -> None:
        tape = iter(self.tape)
        for byte in tape:
            if byte < 120:
                self._step(byte, Fault.NONE)
            elif byte < 168:
                self._receive(byte)
            elif byte < 192:
                kind = KINDS[next(tape, 0) % len(KINDS)]
                self._put(KEYS[byte % 2], f"{kind}:{byte % 3}".encode())
            elif byte < 200:
                self.sources.delete([KEYS[byte % 2]])
                self._send(KEYS[byte % 2])
            elif byte < 208:
                self._send(KEYS[byte % 2], force=byte % 4 > 1)
            elif byte < 212:
                self.recipe = RECIPES[byte % 2]
                self.recipe_changed = True
                self._send_all()
            elif byte < 240:
                self.faults += 1
                self._step(byte, tuple(Fault)[1 + next(tape, 0) % 5])
            else:
                self._pass((5, 30, LEASE, VISIBILITY)[byte % 4])
            self._check_now()

    def _drain(self) -> None:
        for _ in range(50_000):
            if self.workers:
                self._step(0, Fault.NONE)
            elif any(message.visible <= self.now for message in self.queue):
                self._receive(0)
            elif self.queue:
                self._pass(min(message.visible for message in self.queue) - self.now)
            else:
                return
            self._check_now()
        raise AssertionError("the queue never runs dry")

    def _step(self, choice: int, fault: Fault) -> None:
        if not self.workers:
            self._receive(choice)
            return
        worker = self.workers[choice % len(self.workers)]
        worker.step(fault)
        self._tidy(worker)

    def _tidy(self, worker: Worker) -> None:
        if not worker.finished:
            return
        self.workers.remove(worker)
        if worker.error is None:
            self.queue.remove(worker.message)
        elif not isinstance(worker.error, Died):
            assert not isinstance(worker.error, AssertionError | TypeError | AttributeError), worker.error
            worker.message.visible = self.now + RETRY

    def _receive(self, choice: int) -> None:
        visible = [message for message in self.queue if message.visible <= self.now]
        if visible and len(self.workers) < 4:
            message = visible[choice % len(visible)]
            message.visible = self.now + VISIBILITY
            message.receives += 1
            worker = Worker(self, message)
            self.workers.append(worker)
            self._tidy(worker)

    def _pass(self, seconds: float) -> None:
        """Let time go by; no worker outlives its deadline."""
        self.now += seconds
        for worker in list(self.workers):
            if worker.started + DEADLINE <= self.now:
                self.faults += 1
                worker.step(Fault.DEATH)
                self._tidy(worker)

    def _put(self, key: str, data: bytes) -> None:
        self.sources.write(key, data, "image/jpeg")
        stat = self.sources.stat(key)
        assert stat
        self.history[stat.version] = data
        self.put_at[key] = self.now
        self._send(key, put=True)

    def _send(self, key: str, force: bool = False, put: bool = False) -> None:
        self.queue.append(Message(key, force, self.now, put=put))

    def _send_all(self) -> None:
        for key in KEYS:
            self._send(key)

    def _record(self, key: str) -> Record | None:
        entry = self.catalog.get(key)
        return entry.record if entry else None

    def _check_now(self) -> None:
        """At every moment: nothing lies in the store that no record knows, and `done` is true."""
        known: set[str] = set()
        for record in filter(None, map(self._record, KEYS)):
            known |= {rendition.key for rendition in record.renditions}
            known |= set(record.claim.keys) if isinstance(record.claim, Claim) else set()
            if record.status == "done":
                (recipe,) = (recipe for recipe in RECIPES if recipe.hash == record.recipe)
                assert [made.preset for made in record.renditions] == [preset.name for preset in recipe.presets]
                for made in record.renditions:
                    blob = self.renditions.read(made.key, 1000)
                    assert blob, f"{made.key} is missing"
                    assert record.version
                    assert blob.data == made_of(record.recipe, made.preset, self.history[record.version])
            else:
                assert not record.renditions
        assert self.renditions.keys() <= known, "a rendition is orphaned"

    def _check_end(self, faults: int) -> None:
        """Once the queue is dry: each record names the newest source, and nothing else lies in the store."""
        wanted: set[str] = set()
        for key in KEYS:
            record, stat = self._record(key), self.sources.stat(key)
            if stat is None:
                assert record is None or record.status == "deleted", record
                continue
            assert record
            wanted |= {rendition.key for rendition in record.renditions}
            assert (record.version, record.recipe) == (stat.version, self.recipe.hash)
            kind = self.history[stat.version].partition(b":")[0].decode()
            if record.error and record.error.code == "decoder_crashed":
                assert faults >= 3
            else:
                assert record.status == ("failed" if kind in ("BAD", "HALF") else "done"), record
        assert self.renditions.keys() == wanted
