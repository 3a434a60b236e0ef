"""Whole videos, swapped: what is kept, what changes, and what is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_clips import BASE, Audio, Painter, canvas, centre, film, green, plugin, seen

from hifibench import registry
from hifibench.commands_swap import swap_video
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.data import images
from hifibench.data.video import DamagedError
from hifibench.errors import InterruptedRunError, UsageError
from hifibench.records import Frame
from hifibench.video.swap import batch_size

SIZE = (192, 144)
COUNT = 12


@pytest.fixture
def paint(monkeypatch: pytest.MonkeyPatch) -> Callable[[Painter], Painter]:
    """Offers a painter as the method ``painter``."""

    def offer(painter: Painter) -> Painter:
        monkeypatch.setattr(registry, "swappers", registry.Registry("hifibench.swappers", "method", SwapperPlugin))
        registry.swappers.add("painter", plugin(painter))
        return painter

    offer(Painter())
    return offer


@pytest.fixture
def source(portrait, tmp_path: Path) -> Path:
    path = tmp_path / "source.png"
    images.save_png(path, portrait(5))
    return path


def one_person(face: Frame, count: int = COUNT, step: int = 2) -> list[Frame]:
    """A face that goes to the right; its middle is at (64 + step * number, 80)."""
    return [canvas(SIZE, (face, (step * number, 8), 128)) for number in range(count)]


def swap(source: Path, target: Path, out: Path, **options: object) -> None:
    swap_video(source, target, out, "painter", "cpu", **options)  # type: ignore[arg-type]


def test_the_face_is_swapped_and_all_else_is_kept(portrait, paint, source, tmp_path, capsys) -> None:
    target = film(
        tmp_path / "target.mp4",
        one_person(portrait(3)),
        audio=Audio(),
        colour=1,
        aspect=Fraction(4, 3),
        metadata={"title": "A title", "comment": "mine"},
    )
    before_bytes, out = target.read_bytes(), tmp_path / "new" / "out.mp4"
    swap(source, target, out, batch=5)
    before, after = seen(target), seen(out)
    assert target.read_bytes() == before_bytes
    assert len(after.frames) == COUNT and after.times == before.times
    assert after.packets == before.packets and after.packet_times == before.packet_times and len(after.packets) > 10
    for number, (old, new) in enumerate(zip(before.frames, after.frames, strict=True)):
        x, y = centre(new)
        assert abs(x - (64 + 2 * number)) < 8 and abs(y - 80) < 12
        change = np.abs(new.astype(int) - old).mean(-1)
        assert change[green(new)].mean() > 60
        assert change[:, 160:].mean() < 1 and change[:8].mean() < 1
    with av.open(str(target)) as old, av.open(str(out), options={"export_xmp": "1"}) as new:
        for name in ("colorspace", "color_range", "color_primaries", "color_trc", "pix_fmt", "sample_aspect_ratio"):
            assert getattr(new.streams.video[0].codec_context, name) == getattr(
                old.streams.video[0].codec_context, name
            )
        assert new.streams.video[0].codec_context.name == "h264"
        assert new.metadata["title"] == "A title"
        assert new.metadata["comment"].startswith("mine\n") and "hifibench:method=painter" in new.metadata["comment"]
        assert images.DIGITAL_SOURCE_TYPE in new.metadata["comment"]
        # FFmpeg's own reader of XMP boxes.
        assert f'Iptc4xmpExt:DigitalSourceType="{images.DIGITAL_SOURCE_TYPE}"' in new.metadata["xmp"]
    told = capsys.readouterr()
    assert f"{COUNT} frames, {COUNT} swapped, 0 without the face, 0 failed" in told.out.replace("\n", " ")
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.mp4"]


def test_frames_go_to_the_method_in_batches(portrait, paint, source, tmp_path) -> None:
    painter = paint(Painter())
    swap(source, film(tmp_path / "t.mp4", one_person(portrait(3))), tmp_path / "o.mp4", batch=5, quiet=True)
    assert painter.batches == [5, 5, 2]


def test_a_changing_frame_rate_is_kept(portrait, paint, source, tmp_path) -> None:
    times = [0, 512, 1024, 4000, 4001, 9000, 9512, 20000, 20512, 21024, 30000, 30100]
    target = film(tmp_path / "t.mp4", one_person(portrait(3)), times=times)
    swap(source, target, tmp_path / "o.mp4", quiet=True)
    assert seen(tmp_path / "o.mp4").times == seen(target).times == [time * BASE for time in times]


def test_mono_sound_of_a_matroska_file_is_kept(portrait, paint, source, tmp_path) -> None:
    audio = Audio("libmp3lame", 16000, "mono")
    target = film(
        tmp_path / "t.mkv", one_person(portrait(3)), audio=audio, base=Fraction(1, 1000), times=range(0, 480, 40)
    )
    swap(source, target, tmp_path / "o.mkv", quiet=True)
    before, after = seen(target), seen(tmp_path / "o.mkv")
    assert after.packets == before.packets and len(after.packets) > 5
    assert [time - after.times[0] for time in after.packet_times] == [
        time - before.times[0] for time in before.packet_times
    ]
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert container.streams.audio[0].codec_context.channels == 1
        assert container.metadata["HIFIBENCH:METHOD"] == "painter"


def test_sound_that_the_container_does_not_take_is_encoded_anew(portrait, paint, source, tmp_path, capsys) -> None:
    audio = Audio("pcm_mulaw", 8000, "mono")
    frames = one_person(portrait(3), 25, 1)
    target = film(tmp_path / "t.avi", frames, audio=audio, base=Fraction(1, 25), times=range(25))
    swap(source, target, tmp_path / "o.mp4")
    assert "encoded anew, as AAC" in " ".join(capsys.readouterr().err.split())
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("aac", 8000)
        heard = np.concatenate([one.to_ndarray()[0] for one in container.decode(stream)])
    assert 0.9 < len(heard) / 8000 < 1.4
    assert 0.1 < np.sqrt((heard[2000:6000] ** 2).mean()) < 0.25  # a sine of 8000 of 32768


def test_no_sound_stays_no_sound(portrait, paint, source, tmp_path) -> None:
    swap(source, film(tmp_path / "t.mp4", one_person(portrait(3))), tmp_path / "o.mov", quiet=True)
    with av.open(str(tmp_path / "o.mov")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_a_turned_video_is_swapped_upright_and_stays_turned(portrait, paint, source, tmp_path, degrees) -> None:
    upright = one_person(portrait(3))
    stored = [np.rot90(frame, -degrees // 90) for frame in upright]  # a player turns it back, counterclockwise
    target = film(tmp_path / "t.mp4", stored, rotation=degrees)
    swap(source, target, tmp_path / "o.mp4", quiet=True)
    with av.open(str(tmp_path / "o.mp4")) as container:
        pictures = list(container.decode(video=0))
    assert {abs(picture.rotation) for picture in pictures} == {abs(degrees)}
    assert degrees == 180 or pictures[0].rotation == degrees
    for number, picture in enumerate(pictures):
        x, y = centre(np.rot90(picture.to_ndarray(format="rgb24"), degrees // 90))
        assert abs(x - (64 + 2 * number)) < 8 and abs(y - 80) < 12


def test_streams_of_other_kinds_are_left_out_and_told(portrait, paint, source, tmp_path, capsys) -> None:
    plain, target = film(tmp_path / "plain.mp4", one_person(portrait(3), 4)), tmp_path / "t.mkv"
    with av.open(str(plain)) as given, av.open(str(target), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        container.add_attachment("font.ttf", "application/x-truetype-font", b"letters")
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    swap(source, target, tmp_path / "o.mkv")
    assert "streams of attachment are left out" in " ".join(capsys.readouterr().err.split())
    with av.open(str(tmp_path / "o.mkv")) as container:
        assert [one.type for one in container.streams] == ["video"]


def test_odd_sides_become_even(portrait, paint, source, tmp_path) -> None:
    frames = [frame[:143, :191] for frame in one_person(portrait(3))]
    target = film(
        tmp_path / "t.mkv", frames, codec="ffv1", pix_fmt="yuv444p", base=Fraction(1, 1000), times=range(0, 480, 40)
    )
    swap(source, target, tmp_path / "o.mp4", quiet=True)
    made = seen(tmp_path / "o.mp4").frames
    assert made[0].shape == (144, 192, 3)
    assert np.abs(made[0][:143, 160:191].astype(int) - frames[0][:, 160:]).mean() < 2
    assert green(made[0]).sum() > 500


def test_of_two_people_the_one_chosen_first_is_followed(portrait, paint, source, tmp_path, capsys) -> None:
    left, right = portrait(3), portrait(11)
    sides = np.linspace(128, 80, COUNT).round().astype(int)
    frames = [canvas((288, 160), (left, (0, 8), int(side)), (right, (170, 10), 104)) for side in sides]
    swap(source, film(tmp_path / "t.mp4", frames), tmp_path / "o.mp4")
    for side, frame in zip(sides, seen(tmp_path / "o.mp4").frames, strict=True):
        assert centre(frame)[0] == pytest.approx(side / 2, abs=10)
        assert not green(frame)[:, 160:].any()
    assert "2 faces; the largest, most central one at first was followed" in " ".join(capsys.readouterr().err.split())


def test_frames_without_the_face_pass_and_are_counted(portrait, paint, source, tmp_path, capsys) -> None:
    frames = one_person(portrait(3))
    rng = np.random.default_rng(0)
    empty = canvas(SIZE)
    empty[40:100, 40:100] = np.kron(rng.integers(60, 200, (6, 6, 1)), np.ones((10, 10, 1)))
    frames[4:7] = [empty] * 3
    target = film(tmp_path / "t.mp4", frames)
    swap(source, target, tmp_path / "o.mp4")
    assert "12 frames, 9 swapped, 3 without the face, 0 failed" in " ".join(capsys.readouterr().out.split())
    before, after = seen(target), seen(tmp_path / "o.mp4")
    assert [bool(green(frame).any()) for frame in after.frames] == [number not in (4, 5, 6) for number in range(COUNT)]
    for number in (4, 5, 6):
        assert np.abs(after.frames[number].astype(int) - before.frames[number]).mean() < 1.5


def test_after_a_cut_the_face_is_chosen_anew(portrait, paint, source, tmp_path, capsys) -> None:
    first = [canvas((288, 160), (portrait(3), (0, 8), 128))] * 6
    there = canvas((288, 160), (portrait(11), (160, 8), 128))
    there[:, :160] = (20, 60, 120)
    swap(source, film(tmp_path / "t.mp4", first + [there] * 6), tmp_path / "o.mp4")
    assert [centre(frame)[0] > 160 for frame in seen(tmp_path / "o.mp4").frames] == [False] * 6 + [True] * 6
    told = " ".join(capsys.readouterr().err.split())
    assert "chosen anew, 1 times" in told


def test_failures_of_the_method_pass_and_are_counted(portrait, paint, source, tmp_path, capsys) -> None:
    paint(Painter(fail=frozenset({1, 7})))
    swap(source, film(tmp_path / "t.mp4", one_person(portrait(3))), tmp_path / "o.mp4", batch=4)
    told = capsys.readouterr()
    assert "12 frames, 10 swapped, 0 without the face, 2 failed" in " ".join(told.out.split())
    assert "failed on 2 frames, first: out of paint" in " ".join(told.err.split())
    painted = [bool(green(frame).any()) for frame in seen(tmp_path / "o.mp4").frames]
    assert painted == [number not in (1, 7) for number in range(COUNT)]


def test_where_nothing_is_swapped_nothing_is_written(portrait, paint, source, tmp_path) -> None:
    paint(Painter(fail=frozenset(range(COUNT))))
    with pytest.raises(UsageError, match=r"swap none of the 12 frames .* that show the face: out of paint"):
        swap(source, film(tmp_path / "t.mp4", one_person(portrait(3))), tmp_path / "out" / "o.mp4", quiet=True)
    empty = film(tmp_path / "empty.mp4", [canvas(SIZE)] * 6)
    with pytest.raises(UsageError, match=r"No face was found in the 6 frames of .*empty\.mp4"):
        swap(source, empty, tmp_path / "out" / "o.mp4", quiet=True)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["t.mp4", "t.mkv"])
def test_of_a_truncated_video_what_is_there_is_swapped_and_told(portrait, paint, source, tmp_path, name) -> None:
    # Noise beside the face, so that the file's bytes are spread over its length.
    rng = np.random.default_rng(0)
    frames = one_person(portrait(3), 30, 1)
    for frame in frames:
        frame[:, 170:] = rng.integers(0, 255, frame[:, 170:].shape)
    times = {} if name == "t.mp4" else {"base": Fraction(1, 1000), "times": range(0, 1200, 40)}
    whole = film(tmp_path / f"whole-{name}", frames, options={"movflags": "faststart"} if not times else {}, **times)
    target = tmp_path / name
    target.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(DamagedError, match=r"truncated: .*o\.mp4 holds what could be decoded") as caught:
        swap(source, target, tmp_path / "o.mp4", quiet=True)
    assert caught.value.exit_code == 2
    made = seen(tmp_path / "o.mp4").frames
    assert 8 < len(made) < 28
    assert all(green(frame).any() for frame in made)


def test_a_damaged_packet_costs_frames_but_not_the_rest(portrait, paint, source, tmp_path) -> None:
    whole = film(tmp_path / "t.mp4", one_person(portrait(3), 24, 1), options={"movflags": "faststart"})
    with av.open(str(whole)) as container:
        packets = sorted((one.pos, one.size) for one in container.demux(video=0) if one.size)
    data = bytearray(whole.read_bytes())
    at, size = packets[8]
    data[at + 4 : at + size] = b"\0" * (size - 4)
    (tmp_path / "bad.mp4").write_bytes(data)
    with pytest.raises(DamagedError, match="damaged or could not be decoded"):
        swap(source, tmp_path / "bad.mp4", tmp_path / "o.mp4", quiet=True)
    assert len(seen(tmp_path / "o.mp4").frames) >= 20


def test_the_source_may_be_a_video(portrait, paint, tmp_path, monkeypatch) -> None:
    given: list[np.ndarray] = []

    class Watching(Painter):
        def swap(self, source, target):
            given.append(source.numpy().copy())
            return super().swap(source, target)

    paint(Watching())
    source = film(tmp_path / "s.mp4", [canvas(SIZE)] * 3 + one_person(portrait(5), 3))
    target = film(tmp_path / "t.mp4", one_person(portrait(3), 4))
    swap(source, target, tmp_path / "o.mp4", quiet=True)
    still = tmp_path / "s.png"
    images.save_png(still, one_person(portrait(5), 1)[0])
    swap(still, target, tmp_path / "p.mp4", quiet=True)
    assert np.abs(given[0] - given[1]).mean() < 0.03 < np.abs(given[0] - 0.5).mean()
    with pytest.raises(UsageError, match="No face is seen clearly in the 4 frames"):
        swap(film(tmp_path / "e.mp4", [canvas(SIZE)] * 4), target, tmp_path / "q.mp4", quiet=True)


def test_ctrl_c_leaves_nothing_behind(portrait, paint, source, tmp_path) -> None:
    paint(Painter(stop=5))
    target = film(tmp_path / "t.mp4", one_person(portrait(3)), audio=Audio())
    out = tmp_path / "out" / "o.mp4"
    with pytest.raises(InterruptedRunError, match="is not written"):
        swap(source, target, out, batch=2, quiet=True)
    assert list(out.parent.iterdir()) == []


def test_a_real_ctrl_c_leaves_nothing_behind(portrait, source, tmp_path) -> None:
    target = film(tmp_path / "t.mp4", one_person(portrait(3), 400, 0))
    out = tmp_path / "out" / "o.mp4"
    code = (
        # A job in the background of a shell is started with the signal ignored, and so would be its children.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys\nfrom pathlib import Path\nfrom hifibench.commands_swap import swap_video\n"
        "from hifibench.errors import HifibenchError\n"
        "try: swap_video(*map(Path, sys.argv[1:4]), 'source-paste', 'cpu', True)\n"
        "except HifibenchError as error: sys.exit(error.exit_code)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(source), str(target), str(out)])
    end = time.monotonic() + 60
    while not (out.parent.is_dir() and any(one.stat().st_size for one in out.parent.iterdir())):
        assert child.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    assert list(out.parent.iterdir()) == []


def test_what_cannot_be_used_is_told(portrait, paint, source, tmp_path) -> None:
    target = film(tmp_path / "t.mp4", one_person(portrait(3), 3))
    out = tmp_path / "o.mp4"
    for given, match in (
        ({"out": tmp_path / "o.avi"}, r"one of \.mp4, \.mkv, \.mov"),
        ({"out": target}, "is the target itself"),
        ({"crf": 52}, "--crf 52: expected 0"),
        ({"batch": 0}, "--batch 0"),
        ({"target": tmp_path / "none.mp4"}, "There is no file"),
        ({"target": tmp_path}, "is a folder"),
    ):
        words = {"source": source, "target": target, "out": out, "quiet": True, **given}
        with pytest.raises(UsageError, match=match):
            swap(**words)  # type: ignore[arg-type]
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video")
    for name, match in (("zero.mp4", "zero bytes"), ("text.mp4", "cannot be read as a video")):
        with pytest.raises(DamagedError, match=match):
            swap(source, tmp_path / name, out, quiet=True)
    images.save_png(tmp_path / "grey.png", canvas(SIZE))
    with pytest.raises(UsageError, match=r"No face was found in .*grey\.png"):
        swap(tmp_path / "grey.png", target, out, quiet=True)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 32000), np.int16), format="s16", layout="stereo")
        heard.sample_rate, heard.pts = 16000, 0
        container.mux(stream.encode(heard))
        container.mux(stream.encode())
    with pytest.raises(UsageError, match="holds no video"):
        swap(source, tmp_path / "sound.mp4", out, quiet=True)
    with pytest.raises(UsageError, match="quarter turns"):
        swap(source, film(tmp_path / "r.mp4", one_person(portrait(3), 3), rotation=30), out, quiet=True)
    assert not out.exists()


def test_large_crops_make_small_batches() -> None:
    def size(crop: Crop) -> int:
        return batch_size(SwapperCard("one", "", source=Crop("arcface", 112), target=crop), (1920, 1080))

    assert [size(crop) for crop in (Crop("ffhq", 256), Crop("ffhq", 512), Crop("ffhq", 1024), Crop("frame"))] == [
        8,
        2,
        1,
        1,
    ]
