"""Released methods over a FaceForensics++ in small, as the harness calls them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mini_release import COLOURS, SIZE, SWAPPED, MiniRelease, colour, decoded, encode, mini_ffpp, numbered, read

import baselines.released as released
from hifibench import methods_file, registry
from hifibench.contracts import ReleasedSwapper, Service, Swapper, SwapperPlugin
from hifibench.data import files, images
from hifibench.errors import MissingError, UsageError
from hifibench.pipeline.swap import found, loaded
from hifibench.records import Frame, ImageRef, Manifest, Pair, Status, Swapped

BLANK = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def load(plugin: SwapperPlugin) -> ReleasedSwapper:
    swapper = plugin.load("cpu")
    assert isinstance(swapper, ReleasedSwapper) and not isinstance(swapper, Swapper)
    return swapper


def ref(video: str, frame: int, identity: str = "") -> ImageRef:
    name = f"images/{video}_{frame:04d}.png"
    return ImageRef(name, f"file:{name}", identity or video, video, frame)


def find(swapper: ReleasedSwapper, source: ImageRef, target: ImageRef, frame: Frame = BLANK) -> Swapped:
    return found(swapper, Pair("00000", source.image, target.image), source, target, frame)


def make(root: Path, **table: Any) -> SwapperPlugin:
    return released.make("mine", {"root": str(root), **table}, root)


def ffpp(mini: MiniRelease, rule: str, compression: str = "c23") -> ReleasedSwapper:
    return load(make(mini.root, rule=rule, compression=compression))


@pytest.fixture(scope="module")
def manifest(mini_release: MiniRelease) -> Manifest:
    return files.plan(mini_release.pairs_csv, None)


@pytest.mark.parametrize("compression", ["c23", "c40"])
@pytest.mark.parametrize("method", ["FaceSwap", "FaceShifter"])
def test_every_pair_gets_its_own_frame(mini_release, manifest, method, compression) -> None:
    """The trap of one pair under two methods included: colour and compression are those asked for."""
    swapper = ffpp(mini_release, f"ffpp-{method.lower()}", compression)
    for pair in manifest.pairs:
        source, target = manifest.image(pair.source), manifest.image(pair.target)
        done = found(swapper, pair, source, target, BLANK)
        assert (done.status, done.message) == (Status.OK, "") and done.frame is not None
        # Source and target not exchanged: the mark is the source's.
        assert (read(done.frame), read(done.frame, 1)) == (target.frame, int(source.video))
        assert colour(done.frame) == method
        path = f"manipulated_sequences/{method}/{compression}/videos/{target.video}_{source.video}.mp4"
        np.testing.assert_array_equal(done.frame, decoded(mini_release.root / path)[target.frame])
        assert np.isnan(done.seconds)
    assert len(manifest.pairs) == len(SWAPPED) * len(mini_release.frames)


def test_two_methods_at_once_do_not_mix(mini_release, manifest) -> None:
    both = {name: ffpp(mini_release, f"ffpp-{name.lower()}") for name in ("FaceSwap", "FaceShifter")}
    asked = [(name, pair) for pair in manifest.pairs for name in both] * 3

    def get(item: tuple[str, Pair]) -> tuple[str, int, int]:
        name, pair = item
        done = found(both[name], pair, manifest.image(pair.source), manifest.image(pair.target), BLANK)
        assert done.frame is not None, done.message
        return colour(done.frame), read(done.frame), read(done.frame, 1)

    with ThreadPoolExecutor(6) as threads:
        got = list(threads.map(get, asked))
    assert got == [
        (name, manifest.image(pair.target).frame, int(manifest.image(pair.source).video)) for name, pair in asked
    ]


def test_the_harness_starts_and_stops_it(mini_release, tmp_path) -> None:
    plugin = make(mini_release.root, rule="ffpp-faceswap")
    with loaded(plugin, "cpu", tmp_path / "logs") as swapper:
        assert isinstance(swapper, Service) and isinstance(swapper, ReleasedSwapper)
        assert find(swapper, ref("003", 2), ref("000", 9)).status is Status.OK
        assert swapper._videos._open  # type: ignore[union-attr]
    assert not swapper._videos._open  # type: ignore[union-attr]


def test_a_missing_video_is_named(mini_release) -> None:
    done = find(ffpp(mini_release, "ffpp-faceswap"), ref("007", 0), ref("000", 9))
    path = mini_release.root / "manipulated_sequences/FaceSwap/c23/videos/000_007.mp4"
    assert done == Swapped(None, Status.FILE_MISSING, str(path), done.seconds)
    assert done.status.waits


def test_a_target_longer_than_its_swap_is_told(mini_release) -> None:
    done = find(ffpp(mini_release, "ffpp-faceswap"), ref("000", 2), ref("003", 25))
    assert done.status is Status.FAILED
    assert done.message.endswith("003_000.mp4 has 20 frames, 0 to 19; the pair asks for frame 25.")


def test_videos_of_another_frame_count_than_the_table_says(tmp_path) -> None:
    for name, count in (("000_003", 8), ("003_000", 7)):
        encode(tmp_path / f"{name}.mp4", [numbered(number, COLOURS["FaceSwap"]) for number in range(count)])
    swapper = load(make(tmp_path, path="{target_video}_{source_video}.mp4", frame="target", frames=8))
    assert find(swapper, ref("003", 0), ref("000", 5)).status is Status.OK
    done = find(swapper, ref("000", 0), ref("003", 5))
    assert done.status is Status.FAILED and done.message.endswith("has 7 frames, the table says 8 (frames).")


def test_a_swap_of_another_size_is_refused_with_both(mini_release) -> None:
    done = find(ffpp(mini_release, "ffpp-faceswap"), ref("003", 2), ref("000", 9), np.zeros((100, 128, 3), np.uint8))
    assert done.status is Status.FAILED
    assert done.message.endswith("000_003.mp4 has 128x96 pixels, the target 128x100; a swap keeps its size.")


def test_a_damaged_video_waits_for_a_better_copy(tmp_path) -> None:
    path = encode(tmp_path / "000_003.mp4", [numbered(number, COLOURS["FaceSwap"]) for number in range(30)])
    whole = path.read_bytes()
    swapper = load(make(tmp_path, path="{target_video}_{source_video}.mp4", frame="target"))
    path.write_bytes(whole[: len(whole) // 2])
    done = find(swapper, ref("003", 0), ref("000", 5))
    assert done.status is Status.FILE_MISSING and "000_003.mp4 is truncated" in done.message
    path.write_bytes(whole)
    done = find(swapper, ref("003", 0), ref("000", 5))
    assert done.frame is not None and read(done.frame) == 5


def test_stills_are_not_taken_for_frame_zero(mini_release) -> None:
    still = ImageRef("b.png", "file:b.png", "b.png", "b.png")
    swapper = ffpp(mini_release, "ffpp-faceswap")
    done = find(swapper, ref("003", 2), still)
    assert done.status is Status.FAILED
    assert "target b.png is not said to be of a video" in done.message
    assert "add the columns target_video and target_frame" in done.message
    assert "source b.png" in find(swapper, still, ref("000", 9)).message


def test_images_are_found_by_their_names(tmp_path) -> None:
    for number in (3, 12):
        images.save_png(tmp_path / f"out/000_003/{number:04d}.png", numbered(number, COLOURS["FaceSwap"], 3))
    rule = {"path": "out/{target_video}_{source_video}/{target_frame:04d}.png", "frame": "image"}
    swapper = load(make(tmp_path, **rule))
    done = find(swapper, ref("003", 0), ref("000", 12))
    assert done.frame is not None
    np.testing.assert_array_equal(done.frame, numbered(12, COLOURS["FaceSwap"], 3))
    missing = find(swapper, ref("003", 0), ref("000", 13))
    assert (missing.status, missing.message) == (Status.FILE_MISSING, str(tmp_path / "out/000_003/0013.png"))
    (tmp_path / "out/000_003/0003.png").write_bytes(b"no image")
    broken = find(swapper, ref("003", 0), ref("000", 3))
    assert broken.status is Status.FILE_MISSING and "0003.png is no image that can be read" in broken.message


def test_stills_may_be_paired_with_images(tmp_path) -> None:
    images.save_png(tmp_path / "b on a.png", numbered(1, COLOURS["FaceSwap"]))
    a, b = (ImageRef(f"{name}.png", f"file:{name}.png", name, f"{name}.png") for name in "ab")
    swapper = load(make(tmp_path, path="{source_stem} on {target_stem}.png", frame="image"))
    assert find(swapper, b, a).status is Status.OK
    assert find(swapper, a, b).status is Status.FILE_MISSING


def test_a_table_says_which_frame(tmp_path) -> None:
    encode(tmp_path / "all.mp4", [numbered(number, COLOURS["FaceSwap"]) for number in range(20)])
    (tmp_path / "frames.csv").write_text("target,frame\n000-9,13\n000-2,4\n")
    table = {"path": "all.mp4", "frame": "table", "table": "frames.csv", "table_key": "{target_video}-{target_frame}"}
    swapper = load(make(tmp_path, **table))
    got = [find(swapper, ref("003", 0), ref("000", index)).frame for index in (9, 2)]
    assert [read(frame) for frame in got if frame is not None] == [13, 4]
    done = find(swapper, ref("003", 0), ref("000", 3))
    assert done.status is Status.FAILED
    assert "frames.csv has no entry '000-3' ({target_video}-{target_frame})" in done.message


@pytest.fixture
def hififace(tmp_path: Path) -> Path:
    """The authors' release in small: the videos, and a config in a form that is read."""
    for pair in SWAPPED:
        encode(tmp_path / f"{pair}.mp4", [numbered(number, COLOURS["FaceSwap"]) for number in range(6)])
    (tmp_path / "config.json").write_text(json.dumps({"000_003": 4, "003_000": 0}))
    return tmp_path


def test_the_authors_source_frame_is_checked(hififace) -> None:
    swapper = load(make(hififace, rule="hififace-ffpp", source_frames="config.json"))
    assert find(swapper, ref("003", 4), ref("000", 5)).status is Status.OK
    done = find(swapper, ref("003", 2), ref("000", 5))
    assert done.status is Status.FAILED
    assert "took the face from frame 4 of video 003, this pair's source is its frame 2" in done.message
    # The other way round another frame holds: the entry is that of target and source, in this order.
    assert find(swapper, ref("000", 0), ref("003", 5)).status is Status.OK
    assert find(swapper, ref("000", 4), ref("003", 5)).status is Status.FAILED


def test_a_source_frame_that_the_config_lacks_is_told(hififace) -> None:
    (hififace / "config.json").write_text('{"000_003.mp4": 4}')
    table = {"rule": "hififace-ffpp", "source_frames": "config.json"}
    assert (
        "config.json has no entry '000_003'"
        in find(load(make(hififace, **table)), ref("003", 4), ref("000", 5)).message
    )
    swapper = load(make(hififace, **table, source_frames_key="{target_video}_{source_video}.mp4"))
    assert find(swapper, ref("003", 4), ref("000", 5)).status is Status.OK


def test_the_source_frame_may_be_left_unchecked_only_in_so_many_words(hififace) -> None:
    with pytest.raises(UsageError, match="cannot say source_frames, since that is not publicly described: add"):
        make(hififace, rule="hififace-ffpp")
    swapper = load(make(hififace, rule="hififace-ffpp", source_frames=False))
    assert find(swapper, ref("003", 1), ref("000", 5)).status is Status.OK


def test_deeperforensics_names_actors(tmp_path) -> None:
    folder = tmp_path / "manipulated_videos/end_to_end"
    encode(folder / "000_M004.mp4", [numbered(number, COLOURS["FaceSwap"]) for number in range(6)])
    swapper = load(make(tmp_path, rule="deeperforensics"))
    actor = ref("M004_light_uniform_neutral_camera_front", 7, identity="M004")
    done = find(swapper, actor, ref("000", 3))
    assert done.frame is not None and read(done.frame) == 3
    assert find(swapper, ref("000", 3), actor).status is Status.FILE_MISSING


class TestCards:
    def test_a_card_says_what_is_known(self, mini_release) -> None:
        card = make(mini_release.root, rule="ffpp-faceshifter", licence="mine to use").card
        assert card.source.template == card.target.template == "frame" and card.kind == "method"
        assert "arXiv:1912.13457" in card.paper and card.licence == "mine to use"
        assert "beyond the end" in card.limits

    def test_its_hash_changes_with_all_that_decides(self, tmp_path) -> None:
        encode(tmp_path / "in/000.mp4", [numbered(0, COLOURS["FaceSwap"])] * 3)
        (tmp_path / "t.csv").write_text("pair,frame\n00000,1\n")
        base = {"path": "in/{pair}.mp4", "frame": "table", "table": "t.csv"}

        def weights(**changes: Any) -> str:
            return make(tmp_path, **{**base, **changes}).card.weights

        first = weights()
        seen = {first, weights(table_key="{target}"), weights(frames=3), weights(path="in/{target_video}.mp4")}
        (tmp_path / "t.csv").write_text("pair,frame\n00000,2\n")
        seen.add(weights())
        (tmp_path / "in/001.mp4").write_bytes(b"12")
        seen.add(weights())
        (tmp_path / "in/001.mp4").write_bytes(b"123")
        seen.add(weights())
        (tmp_path / "in/broken").symlink_to(tmp_path / "nowhere")
        seen.add(weights())
        assert len(seen) == 8
        assert weights() == weights(summary="said otherwise")

    def test_it_does_not_change_with_the_place(self, tmp_path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "000.mp4").write_bytes(b"1")
        cards = [make(tmp_path / name, path="{pair}.mp4", frame="target").card for name in ("one", "two")]
        assert cards[0].hash == cards[1].hash

    def test_compressions_are_methods_of_their_own(self, mini_release) -> None:
        cards = [make(mini_release.root, rule="ffpp-faceswap", compression=one).card for one in ("c23", "c40")]
        assert cards[0].hash != cards[1].hash


class TestLoading:
    def test_a_root_that_is_not_there(self, tmp_path) -> None:
        plugin = make(tmp_path / "gone", path="{pair}.mp4", frame="target")
        with pytest.raises(
            MissingError, match=r"release of mine is not there: no folder .*gone.*name its folder as root"
        ):
            plugin.load("cpu")
        plugin = make(tmp_path / "gone", rule="ffpp-faceswap")
        with pytest.raises(
            MissingError, match=r"no folder .*gone.*github\.com/ondyari/FaceForensics.*non-commercial.*Put it"
        ):
            plugin.load("cpu")

    def test_a_part_that_is_not_there(self, mini_release) -> None:
        with pytest.raises(
            MissingError, match=r"no folder .*FaceSwap/raw/videos; .*FaceSwap holds c23, c40\. Get that"
        ):
            make(mini_release.root, rule="ffpp-faceswap", compression="raw").load("cpu")
        with pytest.raises(MissingError, match=r"holds FaceShifter, FaceSwap\."):
            make(mini_release.root, rule="ffpp-deepfakes").load("cpu")

    def test_a_table_that_is_not_there(self, tmp_path) -> None:
        plugin = make(tmp_path, path="{pair}.mp4", frame="table", table="none.csv")
        with pytest.raises(MissingError, match=r"no file of frames .*none\.csv"):
            plugin.load("cpu")

    def test_an_unknown_compression(self, mini_release) -> None:
        with pytest.raises(UsageError, match=r"no compression 'c32' of ffpp\. Did you mean 'c23'"):
            make(mini_release.root, rule="ffpp-faceswap", compression="c32")

    def test_a_path_of_ones_own_needs_no_compression(self, mini_release) -> None:
        path = "manipulated_sequences/FaceSwap/c40/videos/{target_video}_{source_video}.mp4"
        swapper = load(make(mini_release.root, rule="ffpp-faceswap", path=path))
        assert find(swapper, ref("003", 2), ref("000", 9)).status is Status.OK

    def test_roots_and_tables_are_relative_to_the_methods_file(self, tmp_path) -> None:
        encode(tmp_path / "here/out/00000.mp4", [numbered(number, COLOURS["FaceSwap"]) for number in range(5)])
        (tmp_path / "here/t.json").write_text('{"00000": 3}')
        table: Mapping[str, Any] = {"root": "out", "path": "{pair}.mp4", "frame": "table", "table": "t.json"}
        done = find(load(released.make("mine", table, tmp_path / "here")), ref("003", 0), ref("000", 0))
        assert done.frame is not None and read(done.frame) == 3


def test_a_methods_file_makes_it(mini_release, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(registry.kinds._added, "released", released.kind)
    file = tmp_path / "methods.toml"
    file.write_text(f"[shifter-c40]\nkind = 'released'\nrule = 'ffpp-faceshifter'\nroot = '{mini_release.root}'\n")
    try:
        assert methods_file.add(file) == ["shifter-c40"]
        done = find(load(registry.swappers.get("shifter-c40")), ref("003", 2), ref("000", 17))
    finally:
        registry.swappers._added.pop("shifter-c40", None)
    assert done.frame is not None and (colour(done.frame), read(done.frame)) == ("FaceShifter", 17)


class TestReady:
    def test_every_ready_method_is_named_as_its_card(self, cache) -> None:
        names = [getattr(released, name).card.name for name in released.READY]
        assert [name.replace("-", "_") for name in names] == list(released.READY)
        with pytest.raises(AttributeError, match="no attribute 'faceswap_fpp'"):
            released.faceswap_fpp  # noqa: B018

    def test_what_is_missing_is_said_on_loading(self, cache) -> None:
        for name in released.READY:
            plugin = getattr(released, name)
            home = "ffpp" if name.endswith("s_ffpp") or name.startswith("face") else plugin.card.name
            with pytest.raises(MissingError, match=f"(?s)http.*Put it.* at {cache}/methods/{home}"):
                plugin.load("cpu")

    def test_ffpp_is_found_behind_a_link(self, cache, mini_release) -> None:
        (cache / "methods").mkdir(parents=True)
        (cache / "methods/ffpp").symlink_to(mini_release.root)
        for plugin, name in ((released.faceswap_ffpp, "FaceSwap"), (released.faceshifter_ffpp, "FaceShifter")):
            done = find(load(plugin), ref("003", 2), ref("000", 9))
            assert done.frame is not None and colour(done.frame) == name and read(done.frame) == 9
            assert plugin.card.weights

    def test_a_process_sees_one_card(self, cache, mini_release) -> None:
        shutil.copytree(mini_release.root, cache / "methods/ffpp")
        card = released.faceswap_ffpp.card
        (cache / "methods/ffpp/manipulated_sequences/FaceSwap/c23/videos/new.mp4").write_bytes(b"")
        assert released.faceswap_ffpp.card == card

    def test_a_file_beside_the_release_says_what_nobody_described(self, cache, hififace) -> None:
        home = cache / "methods/hififace-ffpp"
        home.parent.mkdir(parents=True)
        home.symlink_to(hififace)
        (hififace / "hififace-ffpp.toml").write_text('source_frames = "config.json"\n')
        swapper = load(released.hififace_ffpp)
        assert find(swapper, ref("003", 4), ref("000", 5)).status is Status.OK
        assert find(swapper, ref("003", 3), ref("000", 5)).status is Status.FAILED

    def test_a_layout_of_the_users_own(self, cache) -> None:
        home = cache / "methods/aot"
        images.save_png(home / "AOT/000/003/5.png", numbered(5, COLOURS["FaceSwap"]))
        (home / "aot.toml").write_text(
            'root = "AOT"\npath = "{target_video}/{source_video}/{target_frame}.png"\nframe = "image"\n'
        )
        plugin = released.aot
        assert plugin.card.name == "aot" and "NeurIPS" in plugin.card.paper
        assert find(load(plugin), ref("003", 0), ref("000", 5)).status is Status.OK

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("path = ", "aot.toml is no TOML"),
            ('path = "x.png"', "cannot say frame, since"),
            ('path = "x.png"\nframe = "image"\nroots = "x"', "roots: no such key. Did you mean 'root'"),
        ],
    )
    def test_a_wrong_file_beside_the_release_is_said_on_loading(self, cache, text, said) -> None:
        (cache / "methods/aot").mkdir(parents=True)
        (cache / "methods/aot/aot.toml").write_text(text)
        with pytest.raises(UsageError, match=said):
            released.aot.load("cpu")


def test_a_release_of_faces_can_be_made_for_runs(tmp_path) -> None:
    faces = {"000": np.full((96, 96, 3), 80, np.uint8), "003": np.full((96, 96, 3), 180, np.uint8)}
    mini = mini_ffpp(tmp_path, methods=("FaceSwap",), compressions=("c23",), faces=faces)
    manifest = files.plan(mini.pairs_csv, None)
    swapper = ffpp(mini, "ffpp-faceswap")
    done = {}
    for pair in manifest.pairs:
        source, target = manifest.image(pair.source), manifest.image(pair.target)
        swap = found(swapper, pair, source, target, files.load(target, tmp_path))
        assert swap.frame is not None, swap.message
        done[source.video] = float(swap.frame.mean())
    assert done["003"] > done["000"] + 50
