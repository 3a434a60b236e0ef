"""A sound fake passes every check; broken in one way each, it fails the check for that and no other."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from hifibench import commands_selftest, registry
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.errors import GateError, MethodError, MissingError, UsageError
from hifibench.faces import align, templates
from hifibench.pipeline.swap import Job
from hifibench.records import Cost, Status, Swap, Swapped
from hifibench.selftest import form
from hifibench.selftest.checks import CHECKS, examine
from hifibench.selftest.evidence import KNOWN, Evidence, known_jobs, red_over_blue

SIZE = 256
FFHQ = Crop("ffhq", SIZE)
Change = Callable[[Tensor, Tensor], Swap]


def sound(source: Tensor, target: Tensor) -> Swap:
    """The source's face in the target's mean colours, in an ellipse of the FFHQ template."""
    side = target.shape[-1]
    y, x = torch.meshgrid(*[torch.arange(side) * (512 / side)] * 2, indexing="ij")
    radius = (((x - 258) / 130) ** 2 + ((y - 302) / 158) ** 2).sqrt()
    mask = ((1 - radius) / 0.35).clamp(0, 1).expand(len(target), 1, side, side).contiguous()
    weight = mask / mask.sum((2, 3), keepdim=True)
    shift = ((target - source) * weight).sum((2, 3), keepdim=True)
    return Swap((source + shift).clamp(0, 1), mask, (Status.OK,) * len(target))


class Fake:
    """A swapper by a function of the test."""

    def __init__(
        self,
        swap: Change = sound,
        crop: Crop = FFHQ,
        cost: object = Cost(0, 0, None),
        **card: object,
    ) -> None:
        fields = {"name": "fake", "summary": "", "source": crop, "target": crop, **card}
        self.card = SwapperCard(**fields)  # type: ignore[arg-type]
        self._swap, self._cost = swap, cost

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        return self._swap(source, target)

    def cost(self) -> Cost:
        if isinstance(self._cost, Exception):
            raise self._cost
        return self._cost  # type: ignore[return-value]


@pytest.fixture(scope="module")
def jobs() -> Sequence[Job]:
    return known_jobs()


def verdicts(fake: object, jobs: Sequence[Job]) -> dict[str, tuple[str, str]]:
    results = list(examine(Evidence(fake, jobs)))  # type: ignore[arg-type]
    assert [one.name for one in results] == [check.name for check in CHECKS]
    return {one.name: (one.finding.verdict, one.finding.detail) for one in results}


def failed(found: dict[str, tuple[str, str]]) -> list[str]:
    return [name for name, (verdict, _) in found.items() if verdict == "failed"]


def changed(change: Callable[[Tensor], Tensor]) -> Change:
    """The sound swap with its images changed."""

    def swap(source: Tensor, target: Tensor) -> Swap:
        done = sound(source, target)
        return Swap(change(done.image), done.mask, done.status)

    return swap


def moved_px(pixels: int) -> Change:
    return changed(lambda image: image.roll(pixels, -1))


def mirrored(source: Tensor, target: Tensor) -> Swap:
    done = sound(source, target)
    drawn = done.mask * done.image + (1 - done.mask) * target  # type: ignore[operator]
    return Swap(drawn.flip(-1), torch.ones_like(drawn[:, :1]), done.status)


def inverted(source: Tensor, target: Tensor) -> Swap:
    done = sound(source, target)
    return Swap(done.image, 1 - done.mask, done.status)  # type: ignore[operator]


def dark_around(source: Tensor, target: Tensor) -> Swap:
    """The whole crop is redrawn, and everything but the face badly."""
    done = sound(source, target)
    assert done.mask is not None
    side = target.shape[-1]
    y, x = torch.meshgrid(*[torch.arange(side) * (512 / side)] * 2, indexing="ij")
    near = (((x - 258) / 210) ** 2 + ((y - 290) / 250) ** 2 < 1).float()
    drawn = done.mask * done.image + (1 - done.mask) * target
    return Swap(drawn * (0.7 + 0.3 * near), torch.ones_like(done.mask), done.status)


def nowhere(source: Tensor, target: Tensor) -> Swap:
    done = sound(source, target)
    return Swap(done.image, torch.zeros_like(done.mask), done.status)  # type: ignore[arg-type]


def by_batch_means(image: Tensor) -> Tensor:
    """What BatchNorm in training mode does to its input, put back by fixed numbers."""
    mean, spread = image.mean((0, 2, 3), keepdim=True), image.std((0, 2, 3), keepdim=True)
    return ((image - mean) / spread * 0.25 + 0.45).clamp(0, 1)


def mixed_up(source: Tensor, target: Tensor) -> Swap:
    return sound(source.roll(1, 0), target)


def one_by_one_only(source: Tensor, target: Tensor) -> Swap:
    if len(target) > 1:
        raise RuntimeError("expected a batch of 1")
    return sound(source, target)


def noisy(image: Tensor) -> Tensor:
    return (image + 0.02 * torch.randn(image.shape)).clamp(0, 1)


def noise(image: Tensor) -> Tensor:
    return torch.rand(image.shape[1:], generator=torch.Generator().manual_seed(0)).expand_as(image)


def other_template(source: Tensor, target: Tensor) -> Swap:
    """A method that draws for ArcFace's template, on a card that says InSwapper's."""
    cuts = [_recut(target[row].numpy()) for row in range(len(target))]
    image = torch.from_numpy(np.stack(cuts))
    return Swap(image, torch.ones_like(image[:, :1]), (Status.OK,) * len(image))


def _recut(image: np.ndarray) -> np.ndarray:
    said, drawn = (
        templates.matrix(templates.mean_face(), Crop(name, 128), (512, 512)) for name in ("inswapper", "arcface")
    )
    back = align.invert(said)
    return align.cut(align.hwc(image), drawn @ np.vstack([back, [0, 0, 1]]), 128)


def statuses(*said: Status) -> Change:
    return lambda source, target: Swap(target, None, said[: len(target)], tuple("blurred" for _ in target))


def test_a_sound_swapper_passes(jobs: Sequence[Job]) -> None:
    found = verdicts(Fake(), jobs)
    assert {verdict for verdict, _ in found.values()} == {"ok"}, found


def test_without_a_mask_the_harness_blends_and_nothing_beside_the_face_can_change(jobs: Sequence[Job]) -> None:
    found = verdicts(
        Fake(lambda source, target: Swap(sound(source, target).image, None, (Status.OK,) * len(target))), jobs
    )
    assert failed(found) == []
    assert [name for name, (verdict, _) in found.items() if verdict == "skipped"] == ["mask", "background"]


@pytest.mark.parametrize(
    ("check", "swap", "says"),
    [
        ("output", changed(lambda image: image[..., ::2]), "shape"),
        ("output", changed(lambda image: image * 255), r"expected \[0, 1\]"),
        ("output", changed(lambda image: image * 2 - 1), r"expected \[0, 1\]"),
        ("output", changed(lambda image: image.double()), "float64"),
        ("output", lambda source, target: Swap(target, None, ()), "0 statuses"),
        ("output", statuses(Status.OK, Status.NO_FACE_SOURCE, Status.OK, Status.OK), "1 of 4 pairs: blurred"),
        ("determinism", changed(noisy), "the same batch twice differs"),
        ("batches", changed(by_batch_means), "a row changes by"),
        ("batches", mixed_up, "a row changes by"),
        ("batches", one_by_one_only, "a batch of 4 fails"),
        ("mask", inverted, "inverted"),
        ("mask", nowhere, "0 % of the face"),
        ("background", dark_around, "beside the face the picture changes"),
        ("place", moved_px(20), "moved by"),
        ("place", moved_px(-20), "moved by"),
        ("place", changed(noise), "no face is seen"),
        ("channels", changed(lambda image: image.flip(1)), "red and blue exchanged"),
        ("channels", changed(lambda image: image.mean(1, keepdim=True).expand_as(image)), "red and blue exchanged"),
        ("roles", lambda source, target: sound(target, source), "exchanged"),
        ("roles", lambda source, target: sound(target, target), "expected to gain"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_defect_fails_its_check_and_no_other(check: str, swap: Change, says: str, jobs: Sequence[Job]) -> None:
    found = verdicts(Fake(swap), jobs)
    assert failed(found) == [check], found
    assert re.search(says, found[check][1]), found[check][1]


def test_a_mirrored_crop_is_told_by_where_its_face_looks(jobs: Sequence[Job]) -> None:
    found = verdicts(Fake(mirrored), jobs)
    assert failed(found) == ["background", "place"]
    assert "mirrored" in found["place"][1]


def test_another_template_than_the_cards_is_told_by_the_scale(jobs: Sequence[Job]) -> None:
    found = verdicts(Fake(other_template, Crop("inswapper", 128)), jobs)
    assert "place" in failed(found)
    assert "scaled by 1.1" in found["place"][1]


def test_a_head_that_is_turned_as_the_sources_is_no_swap(jobs: Sequence[Job]) -> None:
    paste = registry.swappers.get("source-paste").load("cpu")
    as_method = Fake(paste.swap, Crop("ffhq", 512))  # type: ignore[union-attr]
    found = verdicts(as_method, jobs)
    assert failed(found) == ["background", "roles"]
    assert "the head is turned as the source's" in found["roles"][1]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"crop": Crop("ffhqq", SIZE)}, "Did you mean 'ffhq'"),
        ({"crop": Crop("ffhq")}, "has the size 0"),
        ({"crop": Crop("frame", SIZE)}, "has the size 256, expected 0"),
        ({"assets": ("edgeface",)}, "asset 'edgeface' is unknown. Did you mean 'edgeface-s'"),
        ({"cost": None}, "cost\\(\\) gave None"),
        ({"cost": Cost(-1, 0, None)}, "without negative numbers"),
        ({"cost": RuntimeError("not counted")}, "cost\\(\\) raised RuntimeError: not counted"),
    ],
)
def test_a_card_that_nobody_can_work_by_stops_all_else(
    fields: dict[str, object], says: str, jobs: Sequence[Job]
) -> None:
    found = verdicts(Fake(**fields), jobs)  # type: ignore[arg-type]
    assert failed(found) == ["card"]
    assert re.search(says, found["card"][1])
    assert {verdict for name, (verdict, _) in found.items() if name != "card"} == {"skipped"}


def test_state_between_calls_is_found_on_whole_frames_too(jobs: Sequence[Job]) -> None:
    calls: list[int] = []

    def drifting(source: Tensor, target: Tensor) -> Swap:
        calls.append(1)
        return Swap((target + 0.01 * len(calls)).clamp(0, 1), None, (Status.OK,))

    found = verdicts(Fake(drifting, Crop("frame")), jobs)
    assert found["determinism"][0] == "failed"


def test_whole_frames_have_to_keep_their_background(jobs: Sequence[Job]) -> None:
    found = verdicts(Fake(lambda source, target: Swap(target * 0.8, None, (Status.OK,)), Crop("frame")), jobs)
    assert found["mask"][0] == "skipped"
    assert failed(found) == ["background", "roles"]


def test_redness_is_a_weighted_mean() -> None:
    image = np.zeros((3, 1, 2), np.float32)
    image[:, 0] = [[0.8, 0.2], [0, 0], [0.2, 0.4]]
    assert red_over_blue(image, np.array([[3, 1]])) == pytest.approx((3 * 0.6 - 0.2) / 4)


def test_the_known_pairs_are_what_they_are_chosen_for(jobs: Sequence[Job]) -> None:
    evidence = Evidence(Fake(), jobs)
    sides = evidence.sources, evidence.targets
    yaw = np.array([[seen.pose_deg[0] for seen in side] for side in sides])
    assert (np.abs(yaw[0]) < 5).all() and (np.abs(yaw[1]) > 10).all() and 0 < (yaw[1] > 0).sum() < len(KNOWN)
    assert all(source.embedding @ target.embedding < 0.4 for source, target in zip(*sides, strict=True))
    assert min(evidence.redness()[:2]) > 0.15


class Released:
    """A method known by files."""

    card = SwapperCard("fake", "", source=Crop("frame"), target=Crop("frame"))

    def find(self, *words: object) -> Swapped:
        return Swapped(None, Status.FILE_MISSING)


class Served(Fake):
    """A method that runs elsewhere and writes a log."""

    logs: Path | None = None
    running = False

    def start(self, logs: Path) -> None:
        Served.logs, Served.running = logs, True
        (logs / "child.txt").write_text("hello")

    def stop(self) -> None:
        Served.running = False


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """``install(swapper)`` offers it as the method ``fake``; an exception is raised by its loading."""

    def offer(swapper: object) -> None:
        def load(device: str) -> object:
            if isinstance(swapper, Exception):
                raise swapper
            return swapper

        card = getattr(swapper, "card", Fake().card)
        monkeypatch.setitem(registry.swappers._added, "fake", SwapperPlugin(card, load))  # type: ignore[arg-type]

    return offer


def test_the_command_prints_a_row_per_check(install, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    install(Fake())
    commands_selftest.selftest("fake", "cpu", quiet=True)
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line.split()[1:2] == ["ok"]] == [
        check.name for check in CHECKS
    ]


def test_a_failed_check_is_a_gate(install, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    install(Fake(dark_around))
    with pytest.raises(GateError, match="fake fails background: see the table"):
        commands_selftest.selftest("fake", "cpu", quiet=True)
    assert "failed" in capsys.readouterr().out


def test_what_runs_elsewhere_is_stopped_and_its_log_kept_where_it_failed(install) -> None:  # type: ignore[no-untyped-def]
    install(Served())
    commands_selftest.selftest("fake", "cpu", quiet=True)
    assert Served.logs is not None and not Served.logs.exists() and not Served.running
    install(Served(inverted))
    with pytest.raises(GateError, match="What it said while it ran is in"):
        commands_selftest.selftest("fake", "cpu", quiet=True)
    assert (Served.logs / "child.txt").read_text() == "hello" and not Served.running


def test_a_method_that_only_knows_its_files_cannot_be_tested(install) -> None:  # type: ignore[no-untyped-def]
    install(Released())
    with pytest.raises(UsageError, match="swaps no pair but theirs"):
        commands_selftest.selftest("fake", "cpu", quiet=True)


def test_a_method_that_cannot_be_loaded_says_why(install) -> None:  # type: ignore[no-untyped-def]
    install(MissingError("weights.bin is not there; get it from its authors."))
    with pytest.raises(MethodError, match=r"weights\.bin") as caught:
        commands_selftest.selftest("fake", "cpu", quiet=True)
    assert caught.value.exit_code == MissingError.exit_code
    with pytest.raises(UsageError, match="Unknown method 'fakee'"):
        commands_selftest.selftest("fakee", "cpu", quiet=True)


def test_a_batch_that_reduced_precision_explains_is_let_pass(jobs: Sequence[Job]) -> None:
    def by_size(source: Tensor, target: Tensor) -> Swap:
        return changed(lambda image: (image + 1e-3 * len(target) / 4).clamp(0, 1))(source, target)

    assert form.SAME > 1e-3
    assert failed(verdicts(Fake(by_size), jobs)) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["hififace", "faceswap"])
def test_the_shipped_methods_pass(method: str, cli: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = cli("selftest", method, "--device", "cpu", "--quiet")
    assert done.stdout.count(" ok ") == len(CHECKS)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["target-copy", "re-encode", "source-paste"])
def test_reference_rows_are_exempt_from_what_they_do_not_claim(method: str, jobs: Sequence[Job]) -> None:
    found = verdicts(registry.swappers.get(method).load("cpu"), jobs)
    assert failed(found) == []
    assert found["roles"] == ("skipped", "a reference row bounds the scale and swaps nothing")


@pytest.mark.slow
@pytest.mark.parametrize(("back", "says"), [(True, "R - B of skin -"), (False, "does it take BGR")])
def test_a_network_that_is_handed_bgr_by_mistake_is_told(back: bool, says: str, jobs: Sequence[Job]) -> None:
    network = registry.swappers.get("hififace").load("cpu")

    def by_bgr(source: Tensor, target: Tensor) -> Swap:
        done = network.swap(source.flip(1), target.flip(1))  # type: ignore[union-attr]
        return Swap(done.image.flip(1) if back else done.image, done.mask, done.status)

    found = verdicts(Fake(by_bgr, network.card.target), jobs)
    assert failed(found) == ["channels"]
    assert says in found["channels"][1]


@pytest.mark.slow
def test_a_network_with_its_sides_exchanged_is_told(jobs: Sequence[Job]) -> None:
    network = registry.swappers.get("hififace").load("cpu")
    fake = Fake(lambda source, target: network.swap(target, source), network.card.target)  # type: ignore[union-attr]
    assert "roles" in failed(verdicts(fake, jobs))
