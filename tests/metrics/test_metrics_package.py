from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest

import metrics
from hifibench import registry
from metrics import background

MODULES = [module.name for module in pkgutil.iter_modules(metrics.__path__, "metrics.")]
NAMES = (
    "id_retrieval[edgeface,frames,top1]",
    "id_retrieval[dlib,sources,top5]",
    "id_cosine[edgeface]",
    "id_leak[w600k]",
    "pose[mediapipe]",
    "pose[3ddfa,yaw]",
    "shape[3ddfa]",
    "shape[mediapipe]",
    "expression[mediapipe]",
    "expression[3ddfa]",
    "background[l1]",
    "background[ssim]",
    "background[lpips]",
    "forgery_auc[spectrum]",
    "forgery_auc[spectrum,video]",
    "forgery_ap[blend-cnn]",
    "forgery_eer[trained-on-others]",
    "landmarks[mediapipe]",
    "gaze[mediapipe]",
    "lighting[mediapipe]",
    "skin_tone[mediapipe,source]",
    "occlusion[exact]",
    "fid[inception]",
    "kid[inception]",
    "truth[l1]",
    "truth[psnr]",
    "truth[mask_iou,mediapipe]",
    "truth[pose,3ddfa]",
    "jitter[mediapipe]",
    "flicker[mediapipe]",
    "id_variance[edgeface]",
)
SIMPLE = ("id_", "pose", "shape", "expression", "background", "forgery_auc[spectrum]")
"""How the names begin of those that read random observations of the test below; the others have tests of their own."""
HIGHER = ("id_retrieval", "id_cosine", "background[ssim", "forgery_eer", "truth[psnr", "truth[ssim", "truth[mask_iou")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_documentation_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert result.failed == 0


def test_there_are_examples_to_run():
    finder = doctest.DocTestFinder()
    with_examples = {
        name for name in MODULES if any(test.examples for test in finder.find(importlib.import_module(name)))
    }
    assert with_examples >= {f"metrics.{name}" for name in ("identity", "pose", "retrieval", "statistics", "summary")}


def test_importing_the_metrics_imports_no_heavy_library():
    heavy = ("torch", "pandas", "scipy", "cv2", "onnxruntime", "mediapipe")
    code = f"import sys, {', '.join(MODULES)}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_metric_of_the_package_is_named_here():
    ours = {point.name for point in entry_points(group="hifibench.metrics") if point.module.startswith("metrics.")}
    assert ours == {name.partition("[")[0] for name in NAMES}


def test_whoever_recognises_says_how_its_embeddings_compare():
    cards = [registry.experts.get(name).card for name in registry.experts.names()]
    recognisers = [card for card in cards if card.role == "recognition"]
    assert len(recognisers) >= 3
    assert all(card.similarity in ("cosine", "l2") and "embedding" in card.outputs for card in recognisers)


@pytest.mark.parametrize(
    ("expert", "output"),
    [
        *((expert, f"background_{comparison}") for comparison, expert in background.EXPERTS.items()),
    ],
)
def test_what_a_metric_reads_is_what_an_expert_gives(expert, output):
    assert output in registry.experts.get(expert).card.outputs


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_what_it_is(name):
    metric = registry.metric(name)
    assert metric.name == name
    assert metric.title and metric.group and metric.needs and metric.decimals >= 1
    assert metric.direction == ("up" if name.startswith(HIGHER) else "down")


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(SIMPLE) and not n.startswith("id_variance")])
def test_a_bound_is_worse_than_any_value(name, observe):
    metric = registry.metric(name)
    if metric.worst is None:
        assert metric.direction == "down"
        return
    rng = np.random.default_rng(0)
    seen = {
        expert: {
            "embedding": rng.standard_normal((8, 16)),
            "background_l1": rng.random(8),
            "background_ssim": rng.uniform(-1, 1, 8),
            "background_lpips": rng.random(8),
            "fake": rng.random(8),
        }
        for expert in metric.needs
    }
    people = [f"person{row}" for row in range(8)]
    shuffled = {expert: {"embedding": outputs["embedding"][::-1]} for expert, outputs in seen.items()}
    galleries = {gallery: (people, seen) for gallery in ("frames", "sources")}
    observed = observe(8, swap=seen, source=shuffled, target=shuffled, source_id=people, galleries=galleries)
    values = metric.compute(observed)
    assert values.shape == (8,) and np.isfinite(values).all()
    sign = 1 if metric.direction == "up" else -1
    assert (sign * values >= sign * metric.worst).all()
