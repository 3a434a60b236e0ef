"""Exact frames of real H.264 videos; the reference is one plain pass from the first frame to the last."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from mini_release import COLOURS, SIZE, decoded, encode, numbered, read

from hifibench.data import video as frames
from hifibench.data import videos
from hifibench.data.video import DamagedError, Description, NoFrameError, Video, describe
from hifibench.data.videos import Videos
from hifibench.errors import UsageError

COUNT = 60


def clip(path: Path, count: int = COUNT, **options: object) -> Path:
    pictures = [numbered(number, COLOURS["FaceSwap"], 255 - number) for number in range(count)]
    return encode(path, pictures, **options)  # type: ignore[arg-type]


KINDS = {
    "open groups.mp4": {},
    "closed groups.mp4": {"open_gop": False},
    "30 fps.mp4": {"fps": 30, "gop": 15},
    "one group.mp4": {"gop": 250},
    "key frames only.mp4": {"gop": 1, "bframes": 0},
    "two by two.mp4": {"gop": 2},
    "starts late.mp4": {"start": 100},
    "index at the end.mp4": {"faststart": False},
    "matroska.mkv": {},
    "without times.avi": {},
    "nothing but a stream.h264": {},
    "variable rate.mp4": {"times": [number + number // 5 * 3 for number in range(COUNT)]},
    "variable rate.mkv": {"times": [number + number // 7 * 9 for number in range(COUNT)], "gop": 250},
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("clips") / request.param, **KINDS[request.param])


def test_frames_are_those_of_a_plain_pass_in_any_order(kind: Path) -> None:
    expected, video = decoded(kind), Video(kind)
    assert len(expected) == video.length == COUNT
    order = list(range(COUNT)) + random.Random(0).sample(range(COUNT), COUNT) + [7, 7] + list(range(COUNT))[::-1]
    for index in order:
        got = video.frame(index)
        np.testing.assert_array_equal(got, expected[index], err_msg=str(index))
        assert (read(got), read(got, 1)) == (index, 255 - index)
    video.close()


def test_ten_frames_cost_one_pass(kind: Path) -> None:
    video = Video(kind)
    for index in range(0, COUNT, 6):
        assert read(video.frame(index)) == index
    assert video.decoded <= COUNT + frames._NEAR


@pytest.mark.parametrize("name", ["open groups.mp4", "closed groups.mp4", "starts late.mp4"])
def test_a_frame_far_away_costs_a_group_and_not_the_video(tmp_path: Path, name: str) -> None:
    video = Video(clip(tmp_path / name, 240, **KINDS[name]))
    assert read(video.frame(0)) == 0
    assert read(video.frame(200)) == 200
    assert read(video.frame(60)) == 60
    assert video.decoded < 2 * 12


def test_decoders_use_several_threads(tmp_path: Path) -> None:
    video = Video(clip(tmp_path / "clip.mp4", gop=250))
    video.frame(30)
    assert video._container is not None
    assert video._container.streams.video[0].codec_context.thread_type.name in ("AUTO", "FRAME", "SLICE")
    with av.open(str(tmp_path / "clip.mp4")) as plain:
        assert "FRAME" not in str(plain.streams.video[0].thread_type)


@pytest.mark.parametrize(("name", "steady"), [("clip.mp4", True), ("clip.mkv", True), ("clip.h264", False)])
def test_a_video_is_described_without_decoding_it(tmp_path: Path, name: str, steady: bool) -> None:
    assert describe(clip(tmp_path / name, 7, fps=30)) == Description(7, 128, 96, steady)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_variable_frame_rate_is_seen(tmp_path: Path, name: str) -> None:
    path = clip(tmp_path / name, 7, times=[0, 1, 2, 4, 5, 6, 7])
    assert describe(path) == Description(7, 128, 96, False)


def test_a_video_of_nothing_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DamagedError, match=r"empty\.mp4 has zero bytes; copy it again"):
        describe(tmp_path / "empty.mp4")
    clip(tmp_path / "headers.mp4", 0)
    with pytest.raises(DamagedError, match=r"headers\.mp4"):
        describe(tmp_path / "headers.mp4")


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    red = np.full((64, 64, 3), (200, 40, 20), np.uint8)
    got = Video(encode(tmp_path / "red.mp4", [red] * 3, crf=0)).frame(1)
    assert got.dtype == np.uint8 and got.shape == (64, 64, 3)
    np.testing.assert_allclose(got.reshape(-1, 3).mean(0), (200, 40, 20), atol=3)


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    """Times below zero: the container plays the video from its sixth frame on, which then is frame 0."""
    path = clip(tmp_path / "edited.mp4", start=-5)
    with av.open(str(path)) as container:
        assert sum(packet.is_discard for packet in container.demux(video=0)) == 5
    video = Video(path)
    assert video.length == COUNT - 5
    assert [read(video.frame(index)) for index in (40, 0, 1, 54)] == [45, 5, 6, 59]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi"])
def test_an_index_beyond_the_end_says_how_many_frames_there_are(tmp_path: Path, name: str) -> None:
    video = Video(clip(tmp_path / name))
    with pytest.raises(NoFrameError, match=rf"{name} has 60 frames, 0 to 59; the pair asks for frame 60\."):
        video.frame(60)
    assert read(video.frame(59)) == 59


def test_a_truncated_video_is_refused_even_where_it_could_be_read(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(DamagedError, match=r"cut\.mp4 is truncated: \d+ of its 60 frames are there; copy it again"):
        Video(cut).frame(0)


def test_a_video_cut_between_two_frames_is_truncated_too(tmp_path: Path) -> None:
    path = clip(tmp_path / "whole.mp4")
    with av.open(str(path)) as container:
        ends = sorted(packet.pos + packet.size for packet in container.demux(video=0) if packet.size)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: ends[30]])
    with pytest.raises(DamagedError, match="is truncated: 31 of its 60 frames"):
        Video(cut).frame(3)


def test_a_video_without_its_index_is_damaged(tmp_path: Path) -> None:
    path = clip(tmp_path / "late.mp4", faststart=False)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(DamagedError, match=r"late\.mp4 cannot be read as a video \(.+\); copy it again"):
        Video(path).frame(0)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not found\n" * 100)
    with pytest.raises(DamagedError, match=r"text\.mp4 cannot be read as a video"):
        Video(tmp_path / "text.mp4").frame(0)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DamagedError, match=r"sound\.mp4 holds no video"):
        Video(tmp_path / "sound.mp4").frame(0)


def test_times_that_lie_are_found_out_and_frames_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of times in which frame 20 does not come is given up; what it would have given is never returned."""
    path = clip(tmp_path / "clip.mp4")
    true = frames.listed(path)
    assert true is not None
    lying = true._replace(pts=tuple(sorted((*true.pts[:20], true.pts[20] + 1, *true.pts[21:]))))
    monkeypatch.setattr(frames, "listed", lambda path: lying)
    video = Video(path)
    assert [read(video.frame(index)) for index in (25, 10, 20, 59)] == [25, 10, 20, 59]
    assert video._index is None


def test_threads_share_one_decoder(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", gop=250)
    video, order = Video(path), random.Random(1).sample(range(COUNT), 24)
    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(video.frame, order))
    assert [read(frame) for frame in got] == order
    assert not video._made and not video._waiting


def test_threads_that_wait_are_served_in_the_order_of_the_video(tmp_path: Path) -> None:
    """All ten wait while the decoder is held: then they cost one pass, though they came from the end."""
    video = Video(clip(tmp_path / "clip.mp4", gop=250))
    got: dict[int, int] = {}
    wanted = list(range(54, -1, -6))
    threads = [threading.Thread(target=lambda i=i: got.update({i: read(video.frame(i))})) for i in wanted]
    with video._work:
        for thread in threads:
            thread.start()
        while len(video._waiting) < len(wanted):
            threading.Event().wait(0.01)
    for thread in threads:
        thread.join()
    assert got == {index: index for index in wanted}
    assert video.decoded == 55


def test_an_error_of_one_frame_is_no_other_threads(tmp_path: Path) -> None:
    video = Video(clip(tmp_path / "clip.mp4"))

    def get(index: int) -> int | str:
        try:
            return read(video.frame(index))
        except NoFrameError:
            return "none"

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(get, [70, 3, 80, 5])) == ["none", 3, "none", 5]


def test_few_videos_stay_open(tmp_path: Path) -> None:
    paths = [clip(tmp_path / f"{number}.mp4", 5) for number in range(videos.MOST + 3)]
    pool = Videos()
    for path in (*paths, *paths[-2:]):
        with pool.opened(path) as video:
            assert read(video.frame(3)) == 3
    assert list(pool._open) == paths[-videos.MOST : -2] + paths[-2:]
    with pool.opened(paths[-1]) as again:
        assert again is pool._open[paths[-1]]
        assert again.decoded > 0
    pool.close()
    assert not pool._open and again._container is None


def test_a_video_in_use_is_not_closed(tmp_path: Path) -> None:
    paths = [clip(tmp_path / f"{number}.mp4", 5) for number in range(videos.MOST + 3)]
    pool = Videos()
    with pool.opened(paths[0]) as held:
        held.frame(0)
        for path in paths[1:]:
            with pool.opened(path) as video:
                video.frame(0)
        assert held._container is not None and paths[0] in pool._open


def test_videos_in_use_leave_room_for_others(tmp_path: Path) -> None:
    """However many are in use, `MOST` others stay open beside them."""
    paths = [clip(tmp_path / f"{number}.mp4", 5) for number in range(2 * videos.MOST)]
    pool = Videos()
    with ExitStack() as stack:
        for path in paths[: videos.MOST]:
            stack.enter_context(pool.opened(path))
        for path in paths[videos.MOST :]:
            with pool.opened(path):
                pass
        assert list(pool._open) == paths


def picture(number: int) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(numbered(number, COLOURS["FaceSwap"]))


def pictures(container: av.container.OutputContainer) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
    return stream


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_title_in_another_encoding_does_no_harm(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    with av.open(str(path), "w", metadata_encoding="latin-1") as container:
        stream = pictures(container)
        container.metadata["title"] = "Zürich"
        for number in range(8):
            container.mux(stream.encode(picture(number)))
        container.mux(stream.encode(None))
    assert "Zürich".encode("latin-1") in path.read_bytes()
    assert describe(path).frames == 8
    assert read(Video(path).frame(5)) == 5


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_frames_are_turned_as_players_turn_them(tmp_path: Path, degrees: int) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = pictures(container)
        stream.set_display_rotation(degrees)
        for number in range(8):
            container.mux(stream.encode(picture(number)))
        container.mux(stream.encode(None))
    frame = Video(tmp_path / "clip.mp4").frame(5)
    assert read(np.rot90(frame, -degrees // 90)) == 5
    # FFmpeg's angles, and NumPy's, go against the clock.
    assert np.abs(np.rot90(numbered(5, COLOURS["FaceSwap"]), degrees // 90).astype(int) - frame).mean() < 8


def test_a_video_to_be_shown_at_another_angle_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = pictures(container)
        stream.set_display_rotation(30)
        container.mux(stream.encode(picture(0)))
        container.mux(stream.encode(None))
    with pytest.raises(UsageError, match="only quarter turns"):
        Video(tmp_path / "clip.mp4").frame(0)


def test_a_cover_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "album.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 64, 64, "yuvj420p", Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))))
        container.mux(cover.encode(None))
    with pytest.raises(DamagedError, match=r"album\.mp4 holds no video"):
        describe(path)


def test_threads_of_the_decoder_can_be_chosen(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", 20)
    video = Video(path, threads=1)
    assert read(video.frame(12)) == 12
    assert video._stream is not None and video._stream.codec_context.thread_count == 1
