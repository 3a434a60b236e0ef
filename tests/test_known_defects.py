"""Defects that published evaluation code has had: each is made here in a few naive lines, and ours is free of it.

What each did elsewhere, and what keeps it out here, stands in ``docs/known_defects.md``.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
import typer
from PIL import Image
from scipy.linalg import sqrtm
from sklearn.metrics import roc_auc_score
from torch import Tensor
from typer.testing import CliRunner

from baselines import released
from hifibench import data, registry
from hifibench.cli import app
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin, ReleasedSwapper, SwapperCard, SwapperPlugin
from hifibench.data import files, images
from hifibench.errors import UsageError
from hifibench.experts.crops import checked
from hifibench.faces import templates
from hifibench.pipeline import store
from hifibench.pipeline.plan import pairs_table
from hifibench.pipeline.run import run
from hifibench.pipeline.store import Shard
from hifibench.pipeline.swap import Job, found, swap_jobs
from hifibench.records import Cost, Face, Floats, Frame, Gallery, ImageRef, Observed, Pair, Status, Swap
from hifibench.suite import FfppData, FileData, Suite, parse
from metrics.distances import fid
from metrics.forgery import forgery_auc

FACE = Face(
    np.array([60, 50, 140, 160], np.float32),
    np.array([[80, 90], [120, 90], [100, 112], [84, 132], [116, 132]], np.float32),
    0.9,
)
CROPS = {"source": Crop("arcface", 112), "target": Crop("ffhq", 64)}


def job(frame: Frame) -> Job:
    return Job(frame, FACE, frame, FACE)


class Fake:
    """A swapper by a function of the test; it remembers how many pairs each call had."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor], name: str = "fake") -> None:
        self.card = SwapperCard(name, "", **CROPS)
        self.change = change
        self.calls: list[int] = []

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        self.calls.append(len(target))
        return Swap(self.change(source, target), None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        return Cost(0, 0, None)


class Probe:
    """A forgery detector that suspects what is dark."""

    card = ExpertCard("probe", "", "forgery", Crop("ffhq", 64), {"fake": "(1,) the darker, the higher"})

    def observe(self, crops: Floats) -> dict[str, Floats]:
        return {"fake": -crops.mean((1, 2, 3))[:, None]}


class SlowStart(Fake):
    """A swapper whose first call sets it up, as GPUs and compilers do, and whose others are quick."""

    SETUP_S, SWAP_S = 0.4, 0.002

    def __init__(self, name: str = "slow-start") -> None:
        super().__init__(self._sleep, name)

    def _sleep(self, source: Tensor, target: Tensor) -> Tensor:
        time.sleep(self.SETUP_S if len(self.calls) == 1 else self.SWAP_S)
        return target


LOADING_S = 0.03
TARGETS = (("000", 0), ("000", 1), ("003", 0), ("003", 1))
SOURCE_OF = {"000": "003", "003": "000"}
RELEASED = ("first", "same-folder", "other-folder")


@dataclass(frozen=True)
class Small:
    """A run on two photographs and their darker copies, two frames of a clip each.

    Attributes:
        out: the run folder.
        suite: what was run.
        results: what ``results.json`` holds.
        load: gives its images.
    """

    out: Path
    suite: Callable[..., Suite]
    results: Mapping[str, Any]
    load: data.Loader

    def score(self, method: str, metric: str = "forgery_auc[probe]") -> Mapping[str, Any]:
        (row,) = [one for one in self.results["scores"] if (one["method"], one["metric"]) == (method, metric)]
        return row


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, portrait: Callable[..., Frame]) -> Iterator[Small]:
    """Three released methods whose files bear the same names, one of them in the other's folder, and a slow starter.

    Swaps of the first two are bright, which the detector takes for real, those of the third are dark. One bright swap
    shows no face.
    """
    root = tmp_path_factory.mktemp("known")
    header = "source,target,source_id,target_id,source_video,source_frame,target_video,target_frame"
    rows = [header]
    for person, video in enumerate(("000", "003")):
        for index in range(3):
            frame = (portrait(person)[::2, ::2] * (1 - 0.04 * index)).astype(np.uint8)
            images.save_png(root / f"frames/{video}_{index}.png", frame)
    for video, index in TARGETS:
        other = SOURCE_OF[video]
        rows.append(f"frames/{other}_2.png,frames/{video}_{index}.png,p{other},p{video},{other},2,{video},{index}")
        frame = images.load(root / f"frames/{video}_{index}.png")
        bright = 128 + frame // 2 if (video, index) != TARGETS[-1] else np.full_like(frame, 127)
        name = f"{video}_{other}/{index:04d}.png"
        images.save_png(root / "bright" / name, bright)
        images.save_png(root / "dark" / name, frame // 2)
    (root / "pairs.csv").write_text("\n".join(rows) + "\n")

    source = FileData(kind="files", pairs_csv=root / "pairs.csv")
    quick = data.loader(source)

    def load(ref: ImageRef) -> Frame:
        time.sleep(LOADING_S)
        return quick(ref)

    def suite(*methods: str) -> Suite:
        scores = ("forgery_auc[probe]", "forgery_auc[probe,video]")
        return Suite(name="small", title="Small", data=source, methods=methods, metrics=scores, draws=100)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "CHUNK", 2)
        patch.setitem(registry.experts._added, "probe", ExpertPlugin(Probe.card, lambda device: Probe()))
        for method, folder in zip(RELEASED, ("bright", "bright", "dark"), strict=True):
            patch.setitem(registry.swappers._added, method, release(root / folder, method))
        patch.setitem(registry.swappers._added, "slow-start", plugin(SlowStart()))
        done = run(suite(*RELEASED, "slow-start"), root / "run", loader=load, workers=1)
        assert done.results is not None
        yield Small(root / "run", suite, done.results, quick)


def release(root: Path, name: str = "mine") -> SwapperPlugin:
    table = {"path": "{target_video}_{source_video}/{target_frame:04d}.png", "frame": "image", "root": str(root)}
    return released.make(name, table, root)


def plugin(fake: Fake) -> SwapperPlugin:
    return SwapperPlugin(fake.card, lambda device: fake)


class TestVideoScoresKeyedByFolderName:
    """Frames of one folder name are averaged, whichever method they are of."""

    REAL: ClassVar[Mapping[str, Sequence[float]]] = {"000": [0.50, 0.51], "003": [0.49, 0.50]}
    SEEN: ClassVar[Mapping[str, Mapping[str, Sequence[float]]]] = {
        "deceives": {"000_003": [0.10, 0.12], "003_000": [0.11, 0.13]},
        "caught": {"000_003": [0.95, 0.97], "003_000": [0.96, 0.98]},
    }

    def observed(self, method: str, clips: Mapping[str, Sequence[float]]) -> Observed:
        rows = [(clip, index, score) for clip, scores in clips.items() for index, score in enumerate(scores)]
        table = pd.DataFrame(
            [
                {
                    "pair": f"{row:05d}",
                    "source": f"{clip[4:]}/0.png",
                    "target": f"{clip[:3]}/{index}.png",
                    "source_id": clip[4:],
                    "target_id": clip[:3],
                    "video": clip[:3],
                    "frame": index,
                }
                for row, (clip, index, _) in enumerate(rows)
            ]
        )
        of = [video for video, scores in self.REAL.items() for _ in scores]
        real = np.float32([score for scores in self.REAL.values() for score in scores])[:, None]
        gallery = Gallery(
            np.array(of), np.array([f"{row}.png" for row in range(len(of))]), {"spectrum": {"fake": real}}, np.array(of)
        )
        swap = {"spectrum": {"fake": np.float32([score for *_, score in rows])[:, None]}}
        others = {
            name: {"spectrum": {"fake": np.float32([score for scores in seen.values() for score in scores])[:, None]}}
            for name, seen in self.SEEN.items()
            if name != method
        }
        return Observed(table, swap, {}, {}, {"frames": gallery}, others=others)

    def auc(self, observed: Observed, *words: str) -> float:
        whole = forgery_auc("spectrum", *words).whole
        assert whole is not None
        return whole(observed, 0, 100).value

    def test_the_naive_way(self) -> None:
        def area(real: Mapping[str, Sequence[float]], fake: Mapping[str, Sequence[float]]) -> float:
            scores = [score for clips in (real, fake) for clip in clips.values() for score in clip]
            labels = [0] * sum(map(len, real.values())) + [1] * sum(map(len, fake.values()))
            return float(roc_auc_score(labels, scores))

        frames = {f"{method}/{clip}": row for method, clips in self.SEEN.items() for clip, row in clips.items()}
        merged: dict[str, list[float]] = {}
        for path, scores in frames.items():
            merged.setdefault(Path(path).name, []).extend(scores)
        by_video = {clip: [float(np.mean(scores))] for clip, scores in merged.items()}
        assert area(self.REAL, frames) == 0.5
        assert area({video: [float(np.mean(row))] for video, row in self.REAL.items()}, by_video) == 1.0

    @pytest.mark.parametrize("words", [(), ("video",)])
    def test_ours(self, words: tuple[str, ...]) -> None:
        assert self.auc(self.observed("deceives", self.SEEN["deceives"]), *words) == 0
        assert self.auc(self.observed("caught", self.SEEN["caught"]), *words) == 100

    def test_two_sources_on_one_video_are_two_clips(self) -> None:
        clips = {"000_003": [0.10, 0.12], "000_007": [0.95, 0.97]}
        assert self.auc(self.observed("both", clips), "video") == 50

    def test_two_methods_that_point_at_one_folder(self, small: Small) -> None:
        """They share what the detector saw, by content, and nothing else: as many pairs as each has."""
        rows = {method: small.score(method) for method in RELEASED}
        for row in rows.values():
            assert row["n"] == len(TARGETS)
        assert rows["first"]["value"] == rows["same-folder"]["value"] == 0
        assert rows["other-folder"]["value"] == 100
        clips = {method: small.score(method, "forgery_auc[probe,video]")["value"] for method in RELEASED}
        assert clips == {"first": 0, "same-folder": 0, "other-folder": 100}
        table = pd.read_parquet(small.out / "scores.parquet")
        counts = table[table["metric"] == "forgery_auc[probe]"].groupby("method")["pair"].nunique()
        assert set(counts) == {len(TARGETS)}


class TestUndetectedFaces:
    """Swaps without a face leave the mean, and nobody learns how many."""

    def test_the_naive_way(self, small: Small) -> None:
        assert self.column(small, "first").dropna().mean() == 0, "as good as a method that never lost a face"

    def column(self, small: Small, method: str) -> pd.Series:
        table = pd.read_parquet(small.out / "scores.parquet")
        return table[(table["method"] == method) & (table["metric"] == "forgery_auc[probe]")]["value"]

    def test_ours(self, small: Small) -> None:
        assert self.column(small, "first").isna().tolist() == [False, False, False, True]
        row = small.score("first")
        assert (row["value"], row["n"], row["n_failed"], row["worst_case"]) == (0, 4, 1, 25)
        assert small.score("other-folder")["n_failed"] == 0


class TestPairing:
    """Files are matched by their place in a sorted list, or by the digits of their names less the smallest."""

    NAMES = ("8", "9", "10", "11")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Swaps of frames 8 to 11 that are as grey as their frame's number; the first one was never made."""
        for name in self.NAMES[1:]:
            images.save_png(tmp_path / f"000_003/{int(name):04d}.png", np.full((64, 64, 3), int(name), np.uint8))
            images.save_png(tmp_path / f"plain/{name}.png", np.full((64, 64, 3), int(name), np.uint8))
        return tmp_path

    def test_the_naive_way(self, folder: Path) -> None:
        swaps = [path.stem for path in sorted((folder / "plain").iterdir())]
        assert list(zip(self.NAMES, swaps, strict=False)) == [("8", "10"), ("9", "11"), ("10", "9")]
        digits = [int(re.sub(r"\D", "", name)) for name in swaps]
        by_digits = {number - min(digits): number for number in digits}
        assert by_digits == {0: 9, 1: 10, 2: 11}, "frame 0 of the video is said to be swap 9"

    def test_ours(self, folder: Path) -> None:
        swapper = release(folder).load("cpu")
        assert isinstance(swapper, ReleasedSwapper)
        source = ImageRef("s.png", "file:s.png", "b", "003", 0)
        got = {}
        for name in ("0", *self.NAMES):
            target = ImageRef(f"{name}.png", f"file:{name}.png", "a", "000", int(name))
            done = found(swapper, Pair(name, "s.png", target.image), source, target, np.zeros((64, 64, 3), np.uint8))
            got[name] = done.status if done.frame is None else int(done.frame[0, 0, 0])
        missing = Status.FILE_MISSING
        assert got == {"0": missing, "8": missing, "9": 9, "10": 10, "11": 11}

    def test_pairs_are_named_line_by_line(self, tmp_path: Path) -> None:
        for name in ("b", "a", "10", "9"):
            images.save_png(tmp_path / f"{name}.png", np.full((32, 32, 3), ord(name[0]), np.uint8))
        (tmp_path / "pairs.csv").write_text("source,target\nb.png,10.png\na.png,9.png\n")
        pairs = files.plan(tmp_path / "pairs.csv", None).pairs
        assert [(pair.source, pair.target) for pair in pairs] == [("b.png", "10.png"), ("a.png", "9.png")]


class TestListCut:
    """The evaluation reads the first thousand lines of a list, whatever its length."""

    def test_ours(self, tmp_path: Path) -> None:
        names = [f"{number}.png" for number in range(36)]
        for number, name in enumerate(names):
            images.save_png(tmp_path / name, np.full((32, 32, 3), number, np.uint8))
        lines = [f"{a},{b}" for a in names for b in names if a != b]
        (tmp_path / "pairs.csv").write_text("\n".join(["source,target", *lines]) + "\n")
        naive = lines[:1000]
        manifest = files.plan(tmp_path / "pairs.csv", None)
        assert len(naive) < len(lines) == len(manifest.pairs) == len(pairs_table(manifest)) == 1260
        assert len(manifest.galleries["frames"]) == len(manifest.galleries["sources"]) == 36
        assert sum(map(len, store.chunks(manifest.pairs))) == 1260


class TestChannelOrder:
    """OpenCV's BGR goes to a network that was trained on RGB."""

    RED = np.full((200, 210, 3), (255, 0, 0), np.uint8)

    def test_the_naive_way(self, tmp_path: Path) -> None:
        import cv2

        Image.fromarray(self.RED).save(tmp_path / "red.png")
        assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 255]

    @pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
    def test_a_red_photograph_comes_red_to_the_network_and_back(self, tmp_path: Path, suffix: str) -> None:
        Image.fromarray(self.RED).save(tmp_path / f"red.{suffix}")
        frame = images.load(tmp_path / f"red.{suffix}")
        seen: list[list[float]] = []

        def change(source: Tensor, target: Tensor) -> Tensor:
            seen.extend(crop[0, :, 30, 30].tolist() for crop in (source, target))
            return target

        (done,) = swap_jobs(Fake(change), [job(frame)])
        for red, green, blue in seen:
            assert red > 0.98 and green < 0.02 and blue < 0.02
        assert done.frame is not None
        images.save_png(tmp_path / "out.png", done.frame)
        red, green, blue = np.asarray(Image.open(tmp_path / "out.png"))[112, 100].tolist()
        assert red > 250 and green < 5 and blue < 5


class TestValueRange:
    """A picture whose largest value is at most 1 is taken for one that was scaled already."""

    DARK = np.full((200, 210, 3), 1, np.uint8)

    def test_the_naive_way(self) -> None:
        def scaled(image: Frame) -> np.ndarray:
            return image / 255 if image.max() > 1 else image.astype(float)

        assert scaled(self.DARK).max() > scaled(self.DARK * 200).max(), "night is brighter than day"

    def test_crops_are_scaled_by_255_whatever_they_show(self) -> None:
        for level in (0, 1, 2, 255):
            crop, _ = templates.take(self.DARK * np.uint8(level), FACE, CROPS["target"])
            assert crop.max() == pytest.approx(level / 255, abs=1e-6)

    def test_sixteen_bits_are_told_by_the_file(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((64, 64), 200, np.uint16)).save(tmp_path / "dark.png")
        assert images.load(tmp_path / "dark.png").max() == 1

    def test_other_ranges_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"RGB in \[0, 1\]; given values from 0 to 255"):
            checked(Probe.card, np.linspace(0, 255, 3 * 64**2, dtype=np.float32).reshape(1, 3, 64, 64))
        (done,) = swap_jobs(Fake(lambda source, target: target * 255), [job(self.DARK * np.uint8(200))])
        assert done.status is Status.FAILED and "expected [0, 1]" in done.message

    def test_a_dark_swap_stays_dark(self) -> None:
        (done,) = swap_jobs(Fake(lambda source, target: target), [job(self.DARK)])
        assert done.frame is not None and done.frame.max() == 1


class TestTypeBool:
    """``type=bool`` makes ``--flag False`` true, as every word but the empty one is."""

    def test_the_naive_way(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--quiet", type=bool, default=False)
        assert parser.parse_args(["--quiet", "False"]).quiet is True

    def options(self, command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
        for inner in getattr(command, "commands", {}).values():
            yield from self.options(inner, f"{path} {inner.name}")
        yield from ((f"{path} {one.name}", one) for one in command.params if one.param_type_name == "option")

    def test_every_option_that_is_true_or_false_is_a_flag(self) -> None:
        known = dict(self.options(typer.main.get_command(app)))
        of_bools = {name: one for name, one in known.items() if isinstance(one.default, bool)}
        assert len(of_bools) > 5
        assert [name for name, one in of_bools.items() if not one.is_flag] == []

    @pytest.mark.parametrize("words", [("--quiet", "False"), ("--quiet=False",)])
    def test_a_flag_takes_no_word(self, words: tuple[str, ...], tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["run", "no-such-suite", "--out", str(tmp_path / "run"), *words])
        assert done.exit_code == 2 and not (tmp_path / "run").exists()
        assert re.search(r"extra argument|does not take a value", done.output)

    @pytest.mark.parametrize(("word", "meant"), [("False", False), ("no", False), ("'false'", False), ("True", True)])
    def test_a_table_reads_the_word(self, word: str, meant: bool) -> None:
        text = "name: a\ntitle: A\nmethods: [target-copy]\nmetrics: ['pose[3ddfa]']\n"
        suite = parse(f"{text}data: {{kind: ffpp, keep_frames: {word}}}\n", "of the test")
        assert isinstance(suite.data, FfppData) and suite.data.keep_frames is meant

    @pytest.mark.parametrize("word", ["False", "false", "no"])
    def test_a_setting_of_training_reads_the_word_or_refuses_it(self, word: str) -> None:
        from baselines.faceshifter.presets import LITE
        from hifibench.training.run import Changes, changed

        assert LITE.method["tanh"] is True
        try:
            plan = changed(LITE, Changes(method=(f"tanh={word}",)))
        except UsageError as error:
            assert "tanh" in str(error)
        else:
            assert plan.method["tanh"] is False


class TestFrechetDistance:
    """The root of a product of singular covariances has imaginary parts, and code drops them."""

    @staticmethod
    def features(n: int, d: int, shift: float) -> np.ndarray:
        return np.random.default_rng(int(shift)).normal(shift, 1, (n, d))

    @staticmethod
    def observed(real: np.ndarray, swap: np.ndarray) -> Observed:
        names = np.array([f"{row:05d}.png" for row in range(len(real))])
        gallery = Gallery(names, names, {"inception": {"features": real.astype(np.float32)}}, names)
        table = pd.DataFrame({"pair": [f"{row:05d}" for row in range(len(swap))]})
        table["video"] = table["pair"]
        seen = {"inception": {"features": swap.astype(np.float32)}}
        return Observed(table, seen, {}, {}, {"frames": gallery})

    @staticmethod
    def naive(real: np.ndarray, swap: np.ndarray) -> complex:
        covariances = np.cov(real, rowvar=False), np.cov(swap, rowvar=False)
        root = sqrtm(covariances[0] @ covariances[1])
        mean = ((real.mean(0) - swap.mean(0)) ** 2).sum()
        return complex(mean + np.trace(covariances[0] + covariances[1] - 2 * root))

    def test_few_images_are_refused_in_words(self) -> None:
        real, swap = self.features(20, 64, 0), self.features(20, 64, 1)
        covariances = np.cov(real, rowvar=False), np.cov(swap, rowvar=False)
        root = sqrtm(covariances[0] @ covariances[1])
        assert np.iscomplexobj(root) and np.abs(root.imag).max() > 1e-9
        metric = fid("inception")
        assert metric.whole is not None
        said = metric.whole(self.observed(real, swap), 0, 10)
        assert np.isnan(said.value)
        assert re.search(r"\b20\b", said.reason) and re.search(r"2,?048", said.reason) and "KID" in said.reason.upper()

    def test_many_images_give_a_real_number(self) -> None:
        real, swap = self.features(2048, 16, 0), self.features(2048, 16, 1)
        metric = fid("inception")
        assert metric.whole is not None
        value = metric.whole(self.observed(real, swap), 0, 10).value
        assert isinstance(value, float) and value == pytest.approx(self.naive(real, swap).real, rel=1e-4)


class TestTiming:
    """The clock stops before the GPU has, runs while images are loaded, and counts the set-up of the first call."""

    def test_the_naive_way(self, small: Small) -> None:
        swapper = SlowStart()
        begin = time.perf_counter()
        for pair in store.chunks(list(TARGETS)):
            time.sleep(LOADING_S * len(pair))
            swapper.swap(torch.zeros(2, 3, 112, 112), torch.zeros(2, 3, 64, 64))
        assert (time.perf_counter() - begin) / len(TARGETS) > LOADING_S + SlowStart.SETUP_S / len(TARGETS)

    def test_neither_the_first_call_nor_loading_counts(self, small: Small) -> None:
        timed = json.loads((small.out / "timing.json").read_text())["methods"]
        assert set(timed) == {"slow-start"}, "what was released was not timed"
        # A loaded machine may take several times the 1 ms that a pair sleeps.
        assert timed["slow-start"]["n"] == len(TARGETS)
        assert timed["slow-start"]["ms_p50"] < 1000 * LOADING_S / 2

    def test_the_first_call_does_not_count_where_the_first_pairs_have_no_face(
        self, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grey = np.full((256, 256, 3), 127, np.uint8)
        late = SlowStart("late")
        monkeypatch.setitem(registry.swappers._added, "late", plugin(late))

        def load(ref: ImageRef) -> Frame:
            return grey if ref.image in ("frames/000_0.png", "frames/000_1.png") else small.load(ref)

        run(small.suite("late"), tmp_path, loader=load, workers=1)
        timed = json.loads((tmp_path / "timing.json").read_text())["methods"]["late"]
        assert late.calls == [1, 2] and timed["n"] == 2
        assert timed["ms_p90"] < 1000 * SlowStart.SETUP_S / 4

    def test_the_gpu_is_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class OnGpu(Tensor):
            is_cuda = True

        pending = 0.1
        waited: list[object] = []

        def synchronize(device: object = None) -> None:
            waited.append(device)
            time.sleep(pending)

        monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
        fake = Fake(lambda source, target: target.as_subclass(OnGpu))
        frame = np.full((200, 210, 3), 90, np.uint8)
        begin = time.perf_counter()
        fake.swap(torch.zeros(1, 3, 112, 112), torch.zeros(1, 3, 64, 64))
        naive = time.perf_counter() - begin
        (done,) = swap_jobs(fake, [job(frame)])
        assert done.status is Status.OK and len(waited) == 1
        assert naive < pending <= done.seconds


class TestCacheKeyedByRank:
    """Each process keeps what it did in a file of its own number: another number of processes reads it wrongly."""

    def test_the_naive_way(self, tmp_path: Path) -> None:
        def work(rank: int, world: int) -> list[int]:
            cache = tmp_path / f"rank{rank}.json"
            if not cache.exists():
                cache.write_text(json.dumps([item for item in range(8) if item % world == rank]))
            found: list[int] = json.loads(cache.read_text())
            return found

        work(0, 2)
        assert work(0, 1) == [0, 2, 4, 6], "half of the work passes for all of it"

    @pytest.mark.parametrize("begun", [("1/2",), ("2/2",), ("3/3", "1/5")])
    def test_a_shared_run_is_finished_by_one_process(
        self, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: tuple[str, ...]
    ) -> None:
        """Three shares leave nothing to the third, as there are two chunks; the fifth takes the first."""

        def use() -> Fake:
            fake = Fake(lambda source, target: source[:, :, :64, :64], "shared")
            monkeypatch.setitem(registry.swappers._added, "shared", plugin(fake))
            return fake

        whole = use()
        expected = run(small.suite("shared"), tmp_path / "whole").results
        assert expected is not None and whole.calls == [1, 2, 2]
        done = 0
        for share in begun:
            shared = use()
            assert run(small.suite("shared"), tmp_path / "run", shard=Shard.parse(share)).results is None
            done += sum(shared.calls[1:])
        rest = use()
        assert run(small.suite("shared"), tmp_path / "run").results == expected
        assert done == 2 and rest.calls == [1, 2], "only what no share had done is made"
