from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hifibench import assets
from hifibench.data import generator, portraits, style_space, views
from hifibench.data.generator import Generator, latent
from hifibench.errors import MissingError, UsageError
from hifibench.records import Floats, Frame

seeds = st.integers(0, 3 * 10**9 - 1)


class TestNames:
    @given(seeds, st.integers(0, 9999))
    def test_parse_is_the_inverse_of_uri(self, seed: int, view: int) -> None:
        assert portraits.parse(portraits.uri(seed, view)) == (seed, view)

    @pytest.mark.parametrize(
        "name",
        ["", "portrait:seed=1", "portrait:seed=-1;view=0", "portrait:seed=1;view=0 ", "portrait:seed=01;view=0",
         "portrait:seed=1;view=x", "portrait:seed=1;view=0\n", "file:a.png"],
    )  # fmt: skip
    def test_another_form_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match="names no portrait; expected the form"):
            portraits.parse(name)

    def test_a_seed_beyond_all_splits_is_refused(self) -> None:
        with pytest.raises(UsageError, match="seeds run from 0 to 2999999999"):
            portraits.parse("portrait:seed=3000000000;view=0")
        with pytest.raises(UsageError, match="-1 lies in no split"):
            portraits.uri(-1)

    def test_a_view_out_of_range_is_refused(self) -> None:
        with pytest.raises(UsageError, match="views 0 to 9999, not 10000"):
            portraits.uri(1, 10000)


class TestSplits:
    def test_no_two_share_a_seed(self) -> None:
        for (_, a), (_, b) in itertools.combinations(portraits.SPLITS.items(), 2):
            assert a.stop <= b.start or b.stop <= a.start

    @given(seeds)
    def test_every_seed_lies_in_the_split_it_is_said_to(self, seed: int) -> None:
        holding = [split for split, range_ in portraits.SPLITS.items() if seed in range_]
        assert holding == [portraits.split_of(seed)]

    def test_borders_are_frozen(self) -> None:
        assert {split: (r.start, r.stop) for split, r in portraits.SPLITS.items()} == {
            "train": (0, 10**9),
            "validation": (10**9, 2 * 10**9),
            "test": (2 * 10**9, 3 * 10**9),
        }


class TestGenerator:
    def test_latents_are_standard_normal_and_differ_by_seed(self) -> None:
        drawn = np.stack([latent(seed) for seed in range(50)])
        assert abs(drawn.mean()) < 0.03
        assert abs(drawn.std() - 1) < 0.03
        assert np.abs(np.corrcoef(drawn) - np.eye(50)).max() < 0.25

    def test_a_negative_seed_is_refused(self) -> None:
        with pytest.raises(UsageError, match="seed -3 is negative"):
            latent(-3)

    def test_the_size_512_is_the_mean_over_2x2_of_the_size_1024(self) -> None:
        small, large = generator.shared(), Generator(1024)
        style = small.styles([7])
        means = large.synthesise(style).reshape(1, 3, 512, 2, 512, 2).mean((3, 5), np.float64)
        np.testing.assert_allclose(small.synthesise(style), means, rtol=0, atol=1e-5)

    def test_styles_are_drawn_towards_the_mean(self) -> None:
        network = generator.shared()
        mean = style_space.shipped().mean
        whole = network.mapped(np.stack([latent(3)]))
        np.testing.assert_allclose(network.styles([3]) - mean, 0.7 * (whole - mean), atol=1e-6)

    def test_a_row_does_not_depend_on_its_neighbours(self) -> None:
        network = generator.shared()
        together = network.render(network.styles([5, 6]))
        alone = network.render(network.styles([6]))
        assert together.shape == (2, 512, 512, 3)
        np.testing.assert_array_equal(together[1], alone[0])
        assert np.abs(together[0].astype(int) - together[1]).mean() > 5

    def test_no_seeds_no_images(self) -> None:
        network = generator.shared()
        assert network.render(network.styles([])).shape == (0, 512, 512, 3)

    def test_another_size_is_refused(self) -> None:
        with pytest.raises(UsageError, match="at 512 or 1024 pixels, not 256"):
            Generator(256)  # type: ignore[arg-type]

    def test_without_openvino_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "openvino", None)
        with pytest.raises(MissingError, match="pip install openvino"):
            Generator().styles([1])

    def test_openvino_is_kept_from_reporting_its_use(self) -> None:
        code = (
            "import sys; from hifibench.data.generator import _openvino; _openvino(); import openvino; "
            "assert not [m for m in sys.modules if m.startswith('openvino_telemetry.')]"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    def test_importing_portraits_loads_nothing_heavy(self) -> None:
        code = (
            "import sys; import hifibench.data.portraits; "
            "print(*({'openvino', 'cv2', 'mediapipe', 'onnxruntime', 'torch', 'pandas'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert done.stdout.split() == []


class Painter:
    """Stands in for the generator: paints the seed, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def styles(self, seeds: Sequence[int]) -> Floats:
        return np.array(seeds, np.float32)[:, None]

    def render(self, styles: Floats) -> Frame:
        self.made += len(styles)
        return np.stack([np.full((512, 512, 3), style[0], np.uint8) for style in styles])


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Painter:
    made = Painter()
    portraits.version()
    monkeypatch.setattr(generator, "shared", lambda: made)
    monkeypatch.setattr(assets, "cache_root", lambda: tmp_path)
    return made


class TestCache:
    def test_a_portrait_is_made_once(self, painter: Painter) -> None:
        first, second = (portraits.load(portraits.uri(17)) for _ in range(2))
        assert painter.made == 1
        np.testing.assert_array_equal(first, second)
        assert first.shape == (512, 512, 3)
        assert (first == 17).all()

    @pytest.mark.parametrize("damage", ["zero bytes", "cut", "flipped", "no image", "small"])
    def test_a_damaged_entry_is_reported_and_made_again(
        self, painter: Painter, damage: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        portraits.load(portraits.uri(17))
        path = portraits.cached_path(17, 0)
        whole = path.read_bytes()
        if damage == "small":
            Image.new("RGB", (64, 64)).save(path)
        else:
            flipped = whole[:-40] + bytes([whole[-40] ^ 255]) + whole[-39:]
            broken = {"zero bytes": b"", "cut": whole[: len(whole) // 2], "flipped": flipped, "no image": b"text"}
            path.write_bytes(broken[damage])
        with caplog.at_level(logging.WARNING):
            assert (portraits.load(portraits.uri(17)) == 17).all()
        assert "made again" in caplog.text
        assert path.read_bytes() == whole

    def test_threads_that_ask_at_once_get_one_made_for_all(self, painter: Painter) -> None:
        got: list[Frame] = []
        threads = [threading.Thread(target=lambda: got.append(portraits.load(portraits.uri(9)))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert painter.made == 1
        assert len(got) == 4

    def test_processes_that_ask_at_once_make_it_once(self, tmp_path: Path) -> None:
        code = f"""
import time, uuid
from pathlib import Path
import numpy as np
from hifibench import assets
from hifibench.data import generator, portraits
root = Path({str(tmp_path)!r})
portraits.version()
assets.cache_root = lambda: root / "cache"
class Painter:
    def styles(self, seeds): return np.zeros((1, 1))
    def render(self, styles):
        (root / f"made-{{uuid.uuid4()}}").touch()
        time.sleep(1)
        return np.zeros((1, 512, 512, 3), np.uint8)
generator.shared = Painter
portraits.load(portraits.uri(4))
"""
        children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
        assert [child.wait(60) for child in children] == [0, 0]
        assert len(list(tmp_path.glob("made-*"))) == 1

    def test_a_cache_that_cannot_be_written_to_is_named(
        self, painter: Painter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setattr(assets, "cache_root", lambda: tmp_path / "file")
        with pytest.raises(MissingError, match=r"cannot be written to: .* HIFIBENCH_CACHE"):
            portraits.load(portraits.uri(1))

    def test_the_file_says_what_it_is(self, painter: Painter) -> None:
        portraits.load(portraits.uri(17))
        with Image.open(portraits.cached_path(17, 0)) as image:
            assert image.info["seed"] == "17"
            assert "MobileStyleGAN" in image.info["generator"]
            assert "trainedAlgorithmicMedia" in image.info["XML:com.adobe.xmp"]

    def test_many_come_in_order_and_progress_is_told(self, painter: Painter) -> None:
        told: list[tuple[int, int]] = []
        frames = portraits.load_many([portraits.uri(seed) for seed in (3, 1, 3)], lambda *done: told.append(done))
        assert [int(frame[0, 0, 0]) for frame in frames] == [3, 1, 3]
        assert told == [(1, 3), (2, 3), (3, 3)]
        assert painter.made == 2

    def test_acceptance_is_read_from_the_files(self, painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
        outcomes = iter([views.Acceptance(1, 3), views.Acceptance(0, 10)])
        monkeypatch.setattr(views, "make", lambda *given: views.View(given[3], next(outcomes)))
        uris = [portraits.uri(2, view) for view in range(4)]
        for name in uris[:3]:
            portraits.load(name)
        assert portraits.acceptance(uris) == views.Acceptance(1, 13)
        portraits.cached_path(2, 2).write_bytes(b"")
        assert portraits.acceptance(uris) == views.Acceptance(1, 3)

    def test_whatever_decides_the_pixels_changes_the_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = portraits.version.__wrapped__()
        for module, name, value in (
            (views, "THRESHOLD", 0.1),
            (views, "SPREAD", {"yaw": 1.0}),
            (generator, "PSI", 0.5),
            (generator, "VERSION", 99),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, value)
                assert portraits.version.__wrapped__() != before
        assert portraits.version.__wrapped__() == before


class TestPlan:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(2, 9), st.integers(1, 4), st.integers(0, 9999), st.data())
    def test_pairs(self, identities: int, frames: int, seed: int, data: st.DataObject) -> None:
        most = identities * frames * (identities - 1)
        pairs = data.draw(st.integers(1, most))
        manifest = portraits.plan(identities, frames, pairs, "test", seed)
        assert len(manifest.pairs) == pairs
        assert len({(pair.source, pair.target) for pair in manifest.pairs}) == pairs
        assert len({pair.pair for pair in manifest.pairs}) == pairs
        targets: Counter[str] = Counter()
        for pair in manifest.pairs:
            source, target = manifest.image(pair.source), manifest.image(pair.target)
            assert source.identity != target.identity
            assert portraits.parse(source.uri)[1] == 0
            assert portraits.parse(target.uri)[1] >= 1
            assert portraits.split_of(portraits.parse(target.uri)[0]) == "test"
            targets[target.identity] += 1
        full = [targets[identity] for identity in {ref.identity for ref in manifest.images}]
        assert max(full) - min(full) <= 1

    @settings(max_examples=40, deadline=None)
    @given(st.integers(2, 9), st.integers(1, 3), st.data())
    def test_a_smaller_plan_is_the_beginning_of_a_larger_one(
        self, identities: int, frames: int, data: st.DataObject
    ) -> None:
        most = identities * frames * (identities - 1)
        small = data.draw(st.integers(1, most))
        a, b = (portraits.plan(identities, frames, pairs, "train", 3) for pairs in (small, most))
        assert a.pairs == b.pairs[:small]
        assert set(a.images) <= set(b.images)

    def test_galleries_hold_those_who_take_part(self) -> None:
        manifest = portraits.plan(50, 3, 4, "validation", 0)
        taking_part = {manifest.image(name).identity for pair in manifest.pairs for name in (pair.source, pair.target)}
        assert {ref.identity for ref in manifest.images} == taking_part
        assert set(manifest.galleries["sources"]) == {pair.source for pair in manifest.pairs}
        assert set(manifest.galleries["frames"]) == {
            ref.image for ref in manifest.images if not ref.uri.endswith("view=0")
        }
        assert len(manifest.galleries["frames"]) == 3 * len(taking_part)

    def test_the_same_arguments_give_the_same_hash_and_another_seed_other_people(self) -> None:
        one, same, other = (portraits.plan(5, 2, 10, "test", seed) for seed in (1, 1, 2))
        assert one.hash == same.hash != other.hash
        assert not {ref.uri for ref in one.images} & {ref.uri for ref in other.images}
        assert not {ref.identity for ref in one.images} & {ref.identity for ref in other.images}

    def test_frames_of_one_person_are_one_video_and_the_photograph_another(self) -> None:
        manifest = portraits.plan(2, 3, 2, "test", 0)
        for identity in {ref.identity for ref in manifest.images}:
            photograph, *frames = (ref for ref in manifest.images if ref.identity == identity)
            assert len({ref.video for ref in frames}) == 1
            assert [ref.frame for ref in frames] == [0, 1, 2]
            assert photograph.video != frames[0].video

    def test_the_origin_says_how_the_images_come_about(self) -> None:
        origin = portraits.plan(2, 1, 1, "test", 0).origin
        for word in ("MobileStyleGAN", "psi 0.7", "w600k", str(views.THRESHOLD), "split test"):
            assert word in origin

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((1, 1, 1, "test", 0), "give 2 to 100000 identities, not 1"),
            ((5, 0, 1, "test", 0), "views of at least 1, not 0"),
            ((5, 2, 0, "test", 0), "make 1 to 40 different pairs, not 0"),
            ((5, 2, 41, "test", 0), "make 1 to 40 different pairs, not 41"),
            ((5, 2, 1, "tset", 0), "no split 'tset'. Did you mean 'test'"),
            ((5, 2, 1, "test", -1), "is 0 to 9999, not -1"),
            ((5, 2, 1, "test", 10000), "is 0 to 9999, not 10000"),
        ],
    )
    def test_what_cannot_be_planned_is_refused(self, arguments: tuple[int, int, int, str, int], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            portraits.plan(*arguments)


def test_a_real_portrait_shows_a_face_and_is_the_same_every_time(portrait: Callable[..., Frame]) -> None:
    frame = portrait(17)
    network = generator.shared()
    np.testing.assert_array_equal(frame, network.render(network.styles([17]))[0])
    assert views.embedding(frame) is not None
