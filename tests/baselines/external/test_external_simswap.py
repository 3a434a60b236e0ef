"""The wrapper of SimSwap runs a checkout with the authors' modules and signatures, made here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from baselines.external import simswap_checkout
from baselines.external.swapper import External
from hifibench.contracts import Crop
from hifibench.errors import MethodError, MissingError, UsageError
from hifibench.records import Status

pytestmark = pytest.mark.usefixtures("no_children")
Start = Callable[..., External]

_OPTIONS = """
import argparse

class TestOptions:
    def parse(self, save=True):
        parser = argparse.ArgumentParser()
        for name in ("name", "which_epoch", "checkpoints_dir", "Arc_path"):
            parser.add_argument("--" + name)
        parser.add_argument("--crop_size", type=int, default=512)
        parser.add_argument("--no_simswaplogo", action="store_true")
        options = parser.parse_args()
        print("------------ Options -------------")
        assert options.no_simswaplogo
        return options
"""
# A generator that BatchNorm in training mode would spoil, and a recogniser whose embedding shows its input's mean.
_MODEL = """
import os
import torch
from torch import nn

class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3, eps=0.0)

    def forward(self, target, identity):
        return self.norm(target) * 0.5 + 0.5 * identity[:, :3, None, None].abs()

class Recogniser(nn.Module):
    def forward(self, face):
        assert face.shape == (1, 3, 112, 112), face.shape
        return 7 * face.mean(dim=(2, 3))

class Model(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.netG, self.netArc = Generator(), Recogniser()
        assert os.path.isfile(options.Arc_path)
        file = "%s_net_G.pth" % options.which_epoch
        weights = torch.load(os.path.join(options.checkpoints_dir, options.name, file))
        self.netG.load_state_dict(weights, strict=False)
        print("find model")

    def forward(self, img_id, img_att, latent_id, latent_att, for_G=False):
        assert img_id is None and latent_att is None and for_G is True
        return self.netG(img_att, latent_id)

def create_model(opt):
    return Model(opt)
"""


def checkout(folder: Path, run: str = "people", epoch: str = "latest") -> Path:
    code = folder / "SimSwap"
    for name, text in (("options/test_options.py", _OPTIONS), ("models/models.py", _MODEL)):
        (code / name).parent.mkdir(parents=True)
        (code / name).write_text(text)
        (code / name).with_name("__init__.py").touch()
    (code / "checkpoints" / run).mkdir(parents=True)
    norm = torch.nn.BatchNorm2d(3).state_dict()
    weights = {f"norm.{name}": value for name, value in norm.items() if name != "num_batches_tracked"}
    torch.save(weights, code / "checkpoints" / run / f"{epoch}_net_G.pth")
    (code / "arcface_model").mkdir()
    (code / "arcface_model" / "arcface_checkpoint.tar").write_bytes(b"recogniser")
    (folder / "torchvision.py").touch()  # the real one takes seconds to import
    return code


def table(**changes: Any) -> dict[str, Any]:
    # Its working folder is the checkout.
    return {"python": sys.executable, "checkout": "SimSwap", "env": {"PYTHONPATH": ".."}} | changes


@pytest.mark.parametrize(("size", "run", "epoch"), [(224, "people", "latest"), (512, "512", "550000")])
def test_a_swap(start: Start, tmp_path: Path, size: int, run: str, epoch: str) -> None:
    checkout(tmp_path, run, epoch)
    swapper = start(table(size=size), simswap_checkout)
    assert swapper.card.source == swapper.card.target == {224: Crop("simswap-224", 224), 512: Crop("ffhq", 512)}[size]
    colour = torch.tensor([0.2, 0.6, 0.8])
    source = colour.view(1, 3, 1, 1).expand(1, 3, size, size)
    target = torch.rand(1, 3, size, size)
    swap = swapper.swap(source, target)
    assert swap.status == (Status.OK,)
    # ImageNet's normalisation, then unit length: in this order, on RGB, of the source.
    face = (torch.round(colour * 255) / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    identity = (face / face.norm()).abs()
    expected = (0.5 * torch.round(target * 255) / 255 + 0.5 * identity.view(1, 3, 1, 1)).clamp(0, 1)
    assert float((swap.image - expected).abs().max()) <= 0.5 / 255 + 1e-5


def test_weights_that_do_not_fit_are_refused(start: Start, tmp_path: Path) -> None:
    code = checkout(tmp_path)
    torch.save({"norm.weight": torch.ones(3)}, code / "checkpoints" / "people" / "latest_net_G.pth")
    with pytest.raises(MethodError, match=r"lacks 3 of the generator's tensors, norm\.bias among them"):
        start(table(), simswap_checkout)


def test_what_is_missing_is_named_with_its_licence(start: Start, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"checkout of mine is not there.*github\.com/neuralchen/SimSwap.*CC BY-NC"):
        simswap_checkout.make("mine", table(), tmp_path).load("cpu")
    code = checkout(tmp_path)
    (code / "arcface_model" / "arcface_checkpoint.tar").unlink()
    with pytest.raises(MissingError, match=r"mine lacks /.*/arcface_checkpoint\.tar\. .*CC BY-NC"):
        simswap_checkout.make("mine", table(), tmp_path).load("cpu")
    (tmp_path / "elsewhere.tar").touch()
    simswap_checkout.make("mine", table(arcface="elsewhere.tar"), tmp_path).load("cpu")
    with pytest.raises(MissingError, match="envs/gone/python, which is not there"):
        simswap_checkout.make("mine", table(arcface="elsewhere.tar", python="envs/gone/python"), tmp_path).load("cpu")


def test_modules_of_another_code_base_are_named(start: Start, tmp_path: Path) -> None:
    code = checkout(tmp_path)
    (code / "options" / "test_options.py").unlink()
    with pytest.raises(MethodError, match=r"cannot import options\.test_options"):
        start(table(), simswap_checkout)


def test_the_size_is_one_of_two(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="size: Input should be 224 or 512"):
        simswap_checkout.make("mine", table(size=256), tmp_path)
