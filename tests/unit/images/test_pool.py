"""The pool of decoder children: order, accidents, and being left half-way."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unfreeze.core.errors import UnfreezeError
from unfreeze.images import pool as pool_module
from unfreeze.images.decoding import UnreadableImageError, pixels_sha256
from unfreeze.images.geometry import Geometry, square
from unfreeze.images.pool import DecoderPool

SMALL = Geometry(32, 36)


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """Two children for all tests here: that the pool can be reused is part of the promise."""
    with DecoderPool(workers=2) as pool:
        yield pool


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sixty different images of different shapes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    made = []
    for number in range(60):
        image = Image.fromarray(rng.integers(0, 256, (40 + number, 90 - number, 3), dtype=np.uint8))
        made.append(folder / f"{number}.png")
        image.save(made[-1])
    return made


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image within the pixel budget that takes a good part of a second to decode."""
    path = tmp_path_factory.mktemp("slow") / "slow.png"
    Image.new("RGB", (6000, 6000)).save(path, compress_level=1)
    return path


def test_what_was_inspected_is_not_decoded_again(tmp_path: Path) -> None:
    """After an inspection that names the square, the file is read no more; each square is its own and cannot change."""
    rng = np.random.default_rng(1)
    made = [tmp_path / f"{number}.png" for number in range(5)]
    for path in made:
        Image.fromarray(rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(path)
    wanted = [square(Image.open(path), SMALL) for path in made]
    with DecoderPool(workers=1) as pool:
        assert [seen.width for seen in pool.inspect(made, SMALL)] == [70] * 5
        for path in made[1:]:
            path.unlink()
        for seen, right in zip(pool.squares([*made, made[2]], SMALL), [*wanted, wanted[2]], strict=True):
            np.testing.assert_array_equal(seen, right)
            assert not seen.flags.writeable


def test_squares_of_one_decoded_image_are_made_together(tmp_path: Path) -> None:
    """One geometry of a group asked for, the file may go: the others are there, each as if decoded for itself."""
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)).save(path)
    squash, pad = Geometry(32, 32, crop="squash"), Geometry(32, 32, crop="border", border=(1, 2, 3))
    wanted = square(Image.open(path), squash), square(Image.open(path), pad)
    with DecoderPool(workers=1) as pool:
        with pool.together([squash, pad, SMALL]):
            (first,) = pool.squares([path], squash)
            path.unlink()
            (second,) = pool.squares([path], pad)
            (other,) = pool.squares([path], SMALL)
        pool.forget_squares(pad)
        (forgotten,) = pool.squares([path], pad)
        (kept,) = pool.squares([path], squash)

    np.testing.assert_array_equal(first, wanted[0])
    np.testing.assert_array_equal(second, wanted[1])
    assert isinstance(other, UnreadableImageError)  # made of an image that is decoded at another size
    assert isinstance(forgotten, UnreadableImageError)
    assert kept is first


def test_without_room_squares_are_decoded_again(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into the share of memory is decoded in every pass, among squares that are kept."""
    monkeypatch.setattr(pool_module, "MEMORY_SHARE", 0.0)
    with DecoderPool(workers=1) as pool:
        pool._room = 3 * 36 * 36 * 3
        for _ in range(2):
            for path, seen in zip(paths[:8], pool.squares(paths[:8], SMALL), strict=True):
                np.testing.assert_array_equal(seen, square(Image.open(path), SMALL))
        assert len(pool._kept) == 3


def test_squares_come_in_order(pool: DecoderPool, paths: list[Path]) -> None:
    """Each path gets its own pixels, in the order of the paths, equal to decoding in this process."""
    for path, seen in zip(paths, pool.squares(paths, SMALL), strict=True):
        assert isinstance(seen, np.ndarray)
        np.testing.assert_array_equal(seen, square(Image.open(path), SMALL))


def test_squares_of_any_size_share_the_memory(pool: DecoderPool, paths: list[Path]) -> None:
    """The same children hand over small squares, large ones of which only one fits at a time, and small ones again."""
    large = Geometry(3400, 3400)
    for geometry, few in ((SMALL, paths[:9]), (large, paths[:2]), (SMALL, paths[9:18])):
        for path, seen in zip(few, pool.squares(few, geometry), strict=True):
            np.testing.assert_array_equal(seen, square(Image.open(path), geometry))


def test_a_square_that_does_not_fit_is_refused(pool: DecoderPool, paths: list[Path]) -> None:
    """The error says how much is too much, before anything is decoded."""
    with pytest.raises(UnfreezeError, match="decoders give at most"):
        list(pool.squares(paths[:1], Geometry(5000, 5000)))


def test_the_background_reaches_the_child(pool: DecoderPool, tmp_path: Path) -> None:
    """Clear pixels take the colour that the geometry names."""
    Image.new("RGBA", (40, 40), (9, 9, 9, 0)).save(tmp_path / "clear.png")

    (seen,) = pool.squares([tmp_path / "clear.png"], Geometry(32, 36, background=(1, 2, 3)))

    assert (seen == [1, 2, 3]).all()


def test_inspection_says_what_a_file_is(pool: DecoderPool, paths: list[Path]) -> None:
    """Hashes, size and mode are those of the file and its pixels."""
    for path, seen in zip(paths, pool.inspect(paths), strict=True):
        image = Image.open(path)
        assert (seen.width, seen.height, seen.mode, seen.reason) == (*image.size, "RGB", "")
        assert seen.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert seen.pixels_sha256 == pixels_sha256(image)


def test_bad_files_cost_only_themselves(pool: DecoderPool, paths: list[Path], tmp_path: Path) -> None:
    """Missing, empty and foreign files are answered with their reasons, and the images around them are read."""
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    mixed = [
        paths[0],
        tmp_path / "none.png",
        tmp_path / "empty.png",
        tmp_path / "text.jpg",
        tmp_path / "folder.png",
        paths[1],
    ]

    seen = list(pool.squares(mixed, SMALL))

    reasons = [answer.reason if isinstance(answer, UnreadableImageError) else "" for answer in seen]
    assert reasons == ["", "missing", "empty-file", 'not-an-image: starts with "hello"', "not-a-regular-file", ""]
    assert next(iter(pool.inspect([tmp_path / "text.jpg"]))).sha256 == hashlib.sha256(b"hello").hexdigest()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_do_not_hang(pool: DecoderPool, tmp_path: Path) -> None:
    """A named pipe called .png is refused at once; nobody waits for a writer."""
    os.mkfifo(tmp_path / "pipe.png")

    assert next(iter(pool.inspect([tmp_path / "pipe.png"]))).reason == "not-a-regular-file"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_undecodable_names_work(pool: DecoderPool, tmp_path: Path, paths: list[Path]) -> None:
    """A file name that is no UTF-8, or has a newline, is opened as it is."""
    for name in (b"\xff\xfe.png", b"a\nb.png"):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(paths[0].read_bytes())
        assert next(iter(pool.inspect([path]))).reason == ""


def test_streams_may_be_left_half_way(pool: DecoderPool, paths: list[Path]) -> None:
    """After a stream was left, the next one gets its own answers and none of the old ones."""
    for _ in range(3):
        stream = pool.squares(paths, SMALL)
        next(stream)
        stream.close()
        assert [seen.width for seen in pool.inspect(paths[:5])] == [90, 89, 88, 87, 86]


def test_a_newer_stream_ends_an_older_one(paths: list[Path]) -> None:
    """Two streams that decode at once are an error in the older one, never mixed answers."""
    with DecoderPool(workers=2) as pool:
        older = pool.squares(paths, SMALL)
        next(older)

        assert len(list(pool.inspect(paths))) == len(paths)
        with pytest.raises(RuntimeError, match="Another stream"):
            next(older)


def test_paths_are_taken_as_needed(pool: DecoderPool, paths: list[Path]) -> None:
    """A stream over endless paths works, and runs ahead only a little."""
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield paths[taken % len(paths)]

    stream = pool.squares(endless(), SMALL)
    for _ in range(10):
        next(stream)
    stream.close()

    assert taken <= 10 + pool.workers * pool_module.AHEAD + 1


def test_no_paths_no_children() -> None:
    """Nothing to decode starts nothing."""
    pool = DecoderPool(workers=2)

    assert list(pool.inspect([])) == []
    assert pool._children == []


def signal_when_busy(pool: DecoderPool, number: int) -> threading.Thread:
    """Send a signal to the pool's only child as soon as it works on the first image of a stream."""

    def wait_and_send() -> None:
        while not (pool._children and pool._children[0].ready and pool._children[0].under_way):
            time.sleep(0.001)
        time.sleep(0.05)
        pool._children[0].process.send_signal(number)

    thread = threading.Thread(target=wait_and_send)
    thread.start()
    return thread


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_a_decoder_that_was_stopped_costs_nothing(paths: list[Path], tmp_path: Path) -> None:
    """A decoder that does nothing for long is replaced, and the image that it worked on is tried once more."""
    Image.new("RGB", (3000, 3000)).save(tmp_path / "large.png", compress_level=1)  # well within the limit, twice over
    with DecoderPool(workers=1, timeout=4.0) as pool:
        list(pool.inspect(paths[:1]))
        stopper = signal_when_busy(pool, signal.SIGSTOP)
        reasons = [seen.reason for seen in pool.inspect([tmp_path / "large.png", *paths[:6]])]
        stopper.join()

    assert reasons == [""] * 7


def test_an_image_that_takes_too_long_is_tried_twice(paths: list[Path], slow: Path) -> None:
    """An image that uses more of a processor than it may is set aside alone, after a second decoder has had it."""
    started: list[pool_module._Child] = []
    with DecoderPool(workers=1, timeout=0.1) as pool:
        start = pool._start

        def counting() -> pool_module._Child:
            started.append(start())
            return started[-1]

        pool._start = counting
        reasons = [seen.reason for seen in pool.inspect([*paths[:2], slow, *paths[2:6]])]

    assert reasons == ["", "", "decoder-timeout 0.1 s", "", "", "", ""]
    assert len(started) == 3  # the first, that of the second try, and that of the others


def test_wall_time_is_not_counted() -> None:
    """While a decoder's own time goes on, however slowly, hours of waiting are no reason to end it."""
    watch = pool_module._Watch()

    looks = [watch.exceeds(used, limit=0.3, waited=0.5) for used in (7.0, 7.1, 7.1, 7.2, 7.2, 7.25, 7.31)]

    assert looks == [False] * 6 + [True]


def test_a_decoder_that_stands_still_is_given_up() -> None:
    """One that uses no processor is waited for three times as long as an image may take."""
    watch = pool_module._Watch()

    assert [watch.exceeds(7.0, limit=1.0, waited=1.0) for _ in range(4)] == [False, False, False, True]


def test_a_file_that_has_changed_is_not_taken_for_the_old_one(paths: list[Path], tmp_path: Path) -> None:
    """Bytes other than those that were inspected give no square, since codes would be kept under the old hash."""
    path = tmp_path / "photo.png"
    path.write_bytes(paths[0].read_bytes())
    with DecoderPool(workers=1) as pool:
        (before,) = pool.inspect([path])
        path.write_bytes(paths[1].read_bytes())
        (changed,) = pool.squares([path], SMALL, hashes=[before.sha256])
        (after,) = pool.inspect([path], SMALL)
        (again,) = pool.squares([path], SMALL, hashes=[after.sha256])

    assert isinstance(changed, UnreadableImageError)
    assert changed.reason == "changed"
    np.testing.assert_array_equal(again, square(Image.open(paths[1]), SMALL))


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_a_decoder_killed_while_it_starts_is_started_again(paths: list[Path]) -> None:
    """Somebody else may kill a child in its first moment: twice in a row that costs neither the run nor an image."""
    with DecoderPool(workers=1) as pool:
        start = pool._start
        killed: list[int] = []

        def killing() -> pool_module._Child:
            child = start()
            if len(killed) < 2:
                killed.append(child.process.pid)
                child.process.kill()
            return child

        pool._start = killing
        reasons = [seen.reason for seen in pool.inspect(paths[:3])]

    assert (reasons, len(killed)) == (["", "", ""], 2)


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_a_decoder_that_dies_is_replaced(paths: list[Path], slow: Path) -> None:
    """A decoder killed in the middle of an image costs that image; the ones queued behind it are decoded elsewhere."""
    with DecoderPool(workers=1) as pool:
        list(pool.inspect(paths[:1]))
        killer = signal_when_busy(pool, signal.SIGSEGV)
        reasons = [seen.reason for seen in pool.inspect([slow, *paths[:6]])]
        killer.join()

    assert reasons == ["decoder-crash signal 11", "", "", "", "", "", ""]


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_ctrl_c_reaches_the_program_and_the_pool_lives_on(paths: list[Path]) -> None:
    """Ctrl-C in the middle of a stream raises KeyboardInterrupt once, and the pool can be used afterwards."""
    script = """
import itertools, pathlib, signal, sys
from unfreeze.images.pool import DecoderPool
from unfreeze.images.geometry import Geometry
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job passes over it
paths = list(map(pathlib.Path, sys.argv[1:]))
with DecoderPool(workers=2) as pool:
    try:
        for number, _ in enumerate(pool.squares(itertools.cycle(paths), Geometry(32, 36))):
            if number == 50:
                print("started", flush=True)
    except KeyboardInterrupt:
        print([seen.width for seen in pool.inspect(paths[:3])], flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, paths[:5])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline() == "started\n"
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert (out, err, process.returncode) == ("[90, 89, 88]\n", "", 0)


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_group_costs_no_image(paths: list[Path], number: signal.Signals) -> None:
    """Decoders pass over it, from their first moment on: a program that handles it reads every image."""
    script = """
import os, pathlib, signal, sys
from unfreeze.images.pool import DecoderPool
number, paths = int(sys.argv[1]), list(map(pathlib.Path, sys.argv[2:]))
signal.signal(number, lambda *_: None)
with DecoderPool(workers=2) as pool:
    pool.start()
    for _ in range(20):  # while they start, and while they work
        os.killpg(0, number)
        print(*{seen.reason for seen in pool.inspect(paths)}, flush=True)
"""
    command = [sys.executable, "-c", script, str(int(number)), *map(str, paths[:9])]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=120, check=False)

    assert (done.stdout.split(), done.stderr, done.returncode) == ([], "", 0)


def test_a_decoder_that_cannot_start_says_why(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """If the child cannot even start, that is our fault, not the images', and its complaint is shown."""
    monkeypatch.setattr(pool_module, "_environment", lambda: {**os.environ, "PYTHONPATH": "", "PYTHONHOME": os.devnull})

    with DecoderPool(workers=1) as pool, pytest.raises(UnfreezeError, match="could not be started"):
        list(pool.inspect(paths[:1]))


def test_children_end_with_their_parent(paths: list[Path]) -> None:
    """A program that ends without closing its pool leaves no decoder behind."""
    script = (
        "import sys, pathlib; from unfreeze.images.pool import DecoderPool; pool = DecoderPool(workers=1);"
        "print(next(pool.inspect([pathlib.Path(sys.argv[1])])).width, pool._children[0].process.pid)"
    )
    result = subprocess.run([sys.executable, "-c", script, str(paths[0])], capture_output=True, text=True, check=True)
    width, pid = map(int, result.stdout.split())

    assert width == 90
    assert _gone(pid)


def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z"):
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_the_child_stays_light() -> None:
    """Decoding needs neither torch nor pandas nor scikit-learn: a child starts in a blink and is small."""
    heavy = {"torch", "timm", "pandas", "sklearn", "scipy", "pyarrow", "openvino", "jaxtyping", "torchvision"}
    script = "import json, sys, unfreeze.images.decoder; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert heavy.isdisjoint(json.loads(result.stdout))


def test_printing_libraries_do_not_disturb(pool: DecoderPool, paths: list[Path], tmp_path: Path) -> None:
    """What libtiff prints about a damaged file reaches neither the answers nor the terminal."""
    path = tmp_path / "damaged.tif"
    Image.open(paths[0]).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[20:400] = b"\xff" * 380
    path.write_bytes(data)

    first, second = pool.inspect([path, paths[0]])

    assert first.reason
    assert (second.width, second.reason) == (90, "")
