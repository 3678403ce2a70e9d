"""One job from its claim to its record: what is promised of a single worker, step by step."""

import io
from collections.abc import Callable, Collection

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from PIL import Image
from simulation import fake_render, made_of

from imgpipe.adapters.memory import MemoryCatalog, MemoryStore
from imgpipe.core.builds import builds
from imgpipe.core.pipeline import Rendering, render
from imgpipe.core.recipe import Fit, Limits, Preset, Recipe
from imgpipe.errors import Busy, Conflict, Retry
from imgpipe.worker.events import Job
from imgpipe.worker.keys import candidates
from imgpipe.worker.ports import Blob, Claim, Entry, Record, Stat
from imgpipe.worker.process import Render, give_up, process

RECIPE = Recipe(
    presets=(
        Preset(name="web", width=40),
        Preset(name="thumb", fit=Fit.COVER, width=8, height=8, format="png"),
    )
)
OTHER = Recipe(presets=(Preset(name="web", width=20),))
KEY = "a/cat.jpg"
LEASE = 100.0


def nothing() -> None:
    """What happens in between: nothing."""


class Sources(MemoryStore):
    """A store in which something happens just before or after a read, once."""

    before_read: Callable[[], None] = staticmethod(nothing)
    after_read: Callable[[], None] = staticmethod(nothing)
    reads = 0

    def read(self, key: str, limit: int, known: str | None = None) -> Blob | None:
        self.reads += 1
        self.before_read()
        self.before_read = nothing
        blob = super().read(key, limit, known)
        self.after_read()
        self.after_read = nothing
        return blob


class Renditions(MemoryStore):
    """A store that counts writes, and fails them while `outage` is set."""

    outage: BaseException | None = None
    writes = 0

    def write(self, key: str, data: bytes, media_type: str) -> None:
        if self.outage:
            raise self.outage
        self.writes += 1
        self.media_type = media_type
        super().write(key, data, media_type)


class Catalog(MemoryCatalog):
    """A catalog that hears nothing of a worker that is `dead`."""

    dead = False

    def get(self, key: str) -> Entry | None:
        if self.dead:
            raise OSError("nobody asks")
        return super().get(key)


class World:
    """Stores, a catalog and a clock of one's own."""

    def __init__(self) -> None:
        self.sources = Sources()
        self.renditions = Renditions()
        self.catalog = Catalog()
        self.now = 1_763_805_600.0

    def put(self, data: bytes, key: str = KEY) -> None:
        self.sources.write(key, data, "image/jpeg")

    def process(
        self,
        *,
        key: str = KEY,
        force: bool = False,
        expected: bool = False,
        recipe: Recipe = RECIPE,
        render: Render = fake_render,
    ) -> Record | None:
        return process(
            Job(key, force, expected), self.sources, self.renditions, self.catalog, recipe,
            lease=LEASE, clock=lambda: self.now, render=render,
        )  # fmt: skip

    def record(self, key: str = KEY) -> Record:
        entry = self.catalog.get(key)
        assert entry
        return entry.record

    def claim(self) -> Claim:
        claim = self.record().claim
        assert isinstance(claim, Claim)
        return claim

    def version(self) -> str:
        stat = self.sources.stat(KEY)
        assert stat
        return stat.version

    def take_over(self) -> None:
        """Another worker claims the source, whoever holds it."""
        entry = self.catalog.get(KEY)
        claim = Claim(attempt="another", ends=self.now + LEASE, keys=candidates(RECIPE, KEY))
        theirs = Record(key=KEY, status="processing", version="theirs", recipe=RECIPE.hash, updated="", claim=claim)
        self.catalog.put(theirs, entry.revision if entry else None)

    def die(self, data: bytes = b"jpeg:1", recipe: Recipe = RECIPE) -> None:
        """A worker claims the source and dies; its lease ends."""

        def kill(data: bytes, recipe: Recipe) -> Rendering:
            self.catalog.dead = True
            raise SystemExit

        self.put(data)
        with pytest.raises(SystemExit):
            self.process(render=kill, recipe=recipe)
        self.catalog.dead = False
        self.now += LEASE


@pytest.fixture
def world() -> World:
    return World()


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def test_a_photo_ends_as_its_renditions_and_a_record_of_them(world: World) -> None:
    world.put(photo := jpeg(80, 60))
    record = world.process(render=render)
    assert record == world.record()
    assert (record.status, record.version, record.recipe) == ("done", world.version(), RECIPE.hash)
    assert (record.width, record.height, record.format, record.bytes) == (80, 60, "jpeg", len(photo))
    web, thumb = record.renditions
    assert (web.preset, web.key, web.format, web.width, web.height) == ("web", "web/a/cat.jpg", "jpeg", 40, 30)
    assert (thumb.preset, thumb.key, thumb.format) == ("thumb", "thumb/a/cat.jpg.png", "png")
    for made in record.renditions:
        blob = world.renditions.read(made.key, 1 << 20)
        assert blob
        assert blob.stat.bytes == made.bytes
        assert Image.open(io.BytesIO(blob.data)).size == (made.width, made.height)
    assert world.renditions.media_type == "image/png"
    assert record.builds == builds()
    assert record.updated == "2025-11-22T10:00:00.000Z"
    assert record.milliseconds
    assert record.milliseconds.total >= record.milliseconds.render
    assert record.claim is UNSET


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "empty"), (b"no image at all", "unsupported_format"), (jpeg(80, 60)[:-300], "truncated")]
)
def test_a_bad_image_is_an_answer_and_leaves_no_renditions(world: World, data: bytes, code: str) -> None:
    world.put(jpeg(80, 60))
    world.process(render=render)
    world.put(data)
    record = world.process(render=render)
    assert record
    assert record.error
    assert (record.status, record.error.code, record.version) == ("failed", code, world.version())
    assert record.renditions == ()
    assert world.renditions.keys() == frozenset()


def test_what_is_up_to_date_is_not_read_again_unless_forced(world: World) -> None:
    world.put(b"jpeg:1")
    first = world.process()
    assert world.process() == first
    assert (world.sources.reads, world.renditions.writes) == (1, 2)
    assert world.process(force=True)
    assert (world.sources.reads, world.renditions.writes) == (2, 4)


def test_another_recipe_renders_again_and_drops_presets_that_are_gone(world: World) -> None:
    world.put(b"jpeg:1")
    world.process()
    record = world.process(recipe=OTHER)
    assert record
    assert record.recipe == OTHER.hash
    assert world.renditions.keys() == {"web/a/cat.jpg"}


def test_a_removed_source_loses_its_renditions_and_leaves_its_key(world: World) -> None:
    world.put(b"jpeg:1")
    world.process()
    world.sources.delete([KEY])
    record = world.process(force=True)
    assert record == Record(key=KEY, status="deleted", updated="2025-11-22T10:00:00.000Z")
    assert world.renditions.keys() == frozenset()
    assert world.process(force=True) == record == world.record()


def test_where_nothing_lies_and_nothing_is_known_nothing_is_recorded(world: World) -> None:
    assert world.process(force=True) is None
    assert world.catalog.get(KEY) is None


def test_what_was_put_and_cannot_be_seen_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(b"jpeg:1")
    done = world.process()
    world.sources.delete([KEY])
    monkeypatch.setattr(world.sources, "is_gone", lambda key: False)
    with pytest.raises(Retry, match="nothing is to be seen"):
        world.process(expected=True)
    assert world.record() == done
    monkeypatch.undo()
    record = world.process(expected=True)
    assert record
    assert record.status == "deleted"


def test_a_source_that_cannot_be_seen_any_more_while_it_is_held_is_let_go(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(b"jpeg:1")
    monkeypatch.setattr(world.sources, "is_gone", lambda key: False)
    world.sources.before_read = lambda: world.sources.delete([KEY])
    with pytest.raises(Retry, match="nothing is to be seen"):
        world.process(expected=True)
    assert world.claim().ends is None


def test_an_empty_object_that_marks_a_folder_is_nothing(world: World) -> None:
    world.put(b"", "holiday/")
    assert world.process(key="holiday/", expected=False) is None
    assert world.catalog.get("holiday/") is None
    world.put(b"BAD:1", "holiday/")
    record = world.process(key="holiday/")
    assert record
    assert record.status == "failed"
    world.put(b"", "holiday/")
    record = world.process(key="holiday/")
    assert record
    assert record.status == "deleted"


def test_too_large_a_source_is_not_read(world: World) -> None:
    recipe = Recipe(presets=RECIPE.presets, limits=Limits(max_megabytes=0.00001))
    world.put(b"jpeg:12345")
    assert world.process(recipe=recipe)
    world.put(b"jpeg:123456")
    record = world.process(recipe=recipe)
    assert record
    assert record.error
    assert (record.error.code, record.bytes) == ("too_many_bytes", 11)
    assert world.sources.reads == 1


def test_a_rendition_key_that_cannot_be_is_an_answer(world: World) -> None:
    key = "k" * 1015 + ".jpg"
    world.put(b"jpeg:1", key)
    record = world.process(key=key)
    assert record
    assert record.error
    assert record.error.code == "key_too_long"
    assert world.renditions.keys() == frozenset()


def test_an_image_that_takes_too_much_memory_is_an_answer(world: World) -> None:
    def huge(data: bytes, recipe: Recipe) -> Rendering:
        raise MemoryError

    world.put(b"jpeg:1")
    record = world.process(render=huge)
    assert record
    assert record.error
    assert record.error.code == "out_of_memory"


def test_a_source_overwritten_while_it_is_rendered_is_rendered_once_more(world: World) -> None:
    world.put(b"jpeg:1")
    world.sources.after_read = lambda: world.put(b"png:2")
    record = world.process()
    assert record
    assert record.version == world.version()
    assert world.renditions.keys() == {made.key for made in record.renditions} == {
        "web/a/cat.jpg.png",
        "thumb/a/cat.jpg.png",
    }  # fmt: skip


def test_a_record_names_the_version_that_was_read_not_the_one_seen_before(world: World) -> None:
    world.put(b"jpeg:1")
    world.sources.before_read = lambda: world.put(b"jpeg:2")
    world.sources.after_read = lambda: world.put(b"jpeg:1")
    record = world.process()
    assert record
    assert record.version == world.version()
    blob = world.renditions.read("web/a/cat.jpg", 100)
    assert blob
    assert blob.data == made_of(RECIPE.hash, "web", b"jpeg:1")


def test_a_source_removed_before_it_is_read_is_deleted(world: World) -> None:
    world.put(b"jpeg:1")
    world.sources.before_read = lambda: world.sources.delete([KEY])
    record = world.process()
    assert record
    assert record.status == "deleted"


def test_a_source_that_was_away_while_it_was_read_is_rendered(world: World) -> None:
    world.put(b"jpeg:1")
    world.sources.before_read = lambda: world.sources.delete([KEY])
    world.sources.after_read = lambda: world.put(b"jpeg:1")
    record = world.process()
    assert record
    assert (record.status, record.version) == ("done", world.version())


def test_a_source_that_keeps_changing_comes_again_and_is_held_by_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another(key: str, known: str | None = None) -> Stat:
        world.now += 1
        return Stat(key=key, version=str(world.now), bytes=1, modified="")

    world.put(b"jpeg:1")
    monkeypatch.setattr(world.sources, "stat", another)
    with pytest.raises(Retry, match="keeps changing"):
        world.process()
    assert world.claim().ends is None


def test_a_live_lease_is_respected_to_its_last_moment(world: World) -> None:
    world.put(b"jpeg:1")
    world.take_over()
    world.now += LEASE - 0.001
    with pytest.raises(Busy) as caught:
        world.process()
    assert caught.value.ends == pytest.approx(world.now, abs=0.01)
    world.now += 0.001
    assert world.process() == world.record()
    assert world.record().status == "done"


def test_a_late_worker_cannot_overwrite_a_rendition(world: World) -> None:
    world.put(b"jpeg:1")

    def dawdle() -> None:
        world.now += LEASE

    world.sources.after_read = dawdle
    with pytest.raises(Retry, match="has ended"):
        world.process()
    assert world.renditions.keys() == frozenset()
    assert world.claim().ends == world.now


def test_a_late_worker_cannot_delete_a_rendition(world: World) -> None:
    world.put(b"jpeg:1")
    world.process()
    world.put(b"BAD:1")

    def dawdle() -> None:
        world.now += LEASE

    world.sources.after_read = dawdle
    with pytest.raises(Retry, match="has ended"):
        world.process()
    assert world.renditions.keys() == {"web/a/cat.jpg", "thumb/a/cat.jpg.png"}


def test_a_worker_that_lost_its_claim_cannot_say_done(world: World) -> None:
    world.put(b"jpeg:1")
    world.sources.after_read = world.take_over
    with pytest.raises(Busy):
        world.process()
    assert world.claim().attempt == "another"


def test_a_worker_that_lost_its_claim_does_not_release_the_other(world: World) -> None:
    world.put(b"jpeg:1")
    world.sources.after_read = world.take_over
    world.renditions.outage = OSError("no network")
    with pytest.raises(OSError, match="no network"):
        world.process()
    assert world.claim() == Claim(attempt="another", ends=world.now + LEASE, keys=candidates(RECIPE, KEY))


def test_of_two_that_claim_at_once_the_later_looks_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(b"jpeg:1")
    put = world.catalog.put

    def beaten(record: Record, revision: int | None) -> int:
        monkeypatch.undo()
        world.process()
        return put(record, revision)

    monkeypatch.setattr(world.catalog, "put", beaten)
    record = world.process()
    assert record == world.record()
    assert record.status == "done"
    assert world.sources.reads == 1


def test_who_is_beaten_again_and_again_lets_the_message_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beaten(record: Record, revision: int | None) -> int:
        raise Conflict(record.key)

    world.put(b"jpeg:1")
    monkeypatch.setattr(world.catalog, "put", beaten)
    with pytest.raises(Conflict):
        world.process()


@pytest.mark.parametrize("outage", [OSError("no network"), KeyboardInterrupt()])
def test_an_outage_releases_the_lease_and_is_no_strike(world: World, outage: BaseException) -> None:
    world.put(b"jpeg:1")
    world.renditions.outage = outage
    for _ in range(4):
        with pytest.raises(type(outage)):
            world.process()
        claim = world.claim()
        assert (claim.ends, claim.strikes) == (None, 0)
        assert set(claim.keys) == set(candidates(RECIPE, KEY))
    world.renditions.outage = None
    record = world.process()
    assert record
    assert record.status == "done"


def test_a_claim_whose_answer_was_lost_is_released(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put(b"jpeg:1")
    put = world.catalog.put

    def lost(record: Record, revision: int | None) -> int:
        monkeypatch.undo()
        put(record, revision)
        raise OSError("no answer")

    monkeypatch.setattr(world.catalog, "put", lost)
    with pytest.raises(OSError, match="no answer"):
        world.process()
    assert world.claim().ends is None


def test_an_image_that_kills_three_workers_fails(world: World) -> None:
    for strikes in range(3):
        world.die()
        assert world.claim().strikes == strikes
    record = world.process()
    assert record
    assert record.error
    assert (record.status, record.error.code, record.bytes) == ("failed", "decoder_crashed", 6)
    assert world.sources.reads == 3


def test_deaths_count_for_one_version_and_recipe_alone(world: World) -> None:
    world.die()
    world.die()
    world.die(b"jpeg:2")
    assert world.claim().strikes == 0
    world.die(b"jpeg:2", OTHER)
    assert world.claim().strikes == 0


def test_an_outage_between_deaths_forgets_none(world: World) -> None:
    world.die()
    world.renditions.outage = OSError("no network")
    with pytest.raises(OSError):
        world.process()
    assert world.claim().strikes == 1


def test_after_three_deaths_a_source_that_changes_meanwhile_is_rendered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        world.die()
    monkeypatch.setattr(world.renditions, "delete", lambda keys: world.put(b"jpeg:2"))
    record = world.process()
    assert record
    assert (record.status, record.version) == ("done", world.version())


def test_after_three_deaths_a_removed_source_is_deleted_all_the_same(world: World) -> None:
    for _ in range(3):
        world.die()
    world.sources.delete([KEY])
    record = world.process()
    assert record
    assert record.status == "deleted"


def test_giving_up_ends_a_live_claim_and_tidies_up(world: World) -> None:
    world.put(b"jpeg:1")
    world.process()
    world.take_over()
    world.renditions.write("web/a/cat.jpg.avif", b"half", "image/avif")
    record = give_up(
        KEY, "deadline", "It took 120 s.", world.renditions, world.catalog, RECIPE, clock=lambda: world.now
    )
    assert record == world.record()
    assert (record.status, record.version, record.recipe) == ("failed", "theirs", RECIPE.hash)
    assert record.error
    assert (record.error.code, record.error.message) == ("deadline", "It took 120 s.")
    assert record.claim is UNSET
    assert world.renditions.stat("web/a/cat.jpg.avif") is None


def test_giving_up_never_leaves_a_done_record_without_its_renditions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(b"jpeg:1")
    done = world.process()
    assert done

    def gone(keys: Collection[str]) -> None:
        assert set(keys) == {made.key for made in done.renditions}
        raise OSError("an outage")

    monkeypatch.setattr(world.renditions, "delete", gone)
    with pytest.raises(OSError, match="an outage"):
        give_up(KEY, "deadline", "It took 120 s.", world.renditions, world.catalog, RECIPE)
    assert world.record().status == "processing"
    assert set(world.claim().keys) == {made.key for made in done.renditions}


def test_giving_up_on_what_nobody_claimed_is_recorded(world: World) -> None:
    record = give_up(KEY, "decoder_crashed", "Signal 11.", world.renditions, world.catalog, RECIPE)
    assert record == world.record()
    assert replace(record, updated="", builds={}, error=None) == Record(
        key=KEY, status="failed", recipe=RECIPE.hash, updated=""
    )
