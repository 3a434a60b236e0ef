"""Runs in SimSwap's environment, inside its checkout: aligned crops in, swapped crops out.

Source and target come aligned as SimSwap aligns them itself, so that its detector, its paste, its logo and its face
parsing take no part. The authors' models of 2021-11 and later (``--crop_size`` among the options) are expected.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
child = importlib.import_module("child")
del sys.path[0]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def arguments() -> argparse.Namespace:
    """The generator and where its files are."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--checkpoints", required=True)
    parser.add_argument("--arcface", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--epoch", required=True)
    return parser.parse_args()


def load(chosen: argparse.Namespace) -> Any:
    """The authors' model, made as their own scripts make it."""
    # Their options are read from the command line.
    sys.argv = [sys.argv[0], "--name", chosen.run, "--which_epoch", chosen.epoch, "--no_simswaplogo"]
    sys.argv += ["--crop_size", str(chosen.size), "--checkpoints_dir", chosen.checkpoints]
    sys.argv += ["--Arc_path", chosen.arcface]
    options = importlib.import_module("options.test_options").TestOptions().parse()
    model = importlib.import_module("models.models").create_model(options)
    fit(model.netG, str(Path(chosen.checkpoints, chosen.run, f"{chosen.epoch}_net_G.pth")))
    # BatchNorm: in training mode a result would depend on this one face's statistics.
    return model.eval()


def fit(generator: Any, file: str) -> None:
    """Refuse weights of another network: the authors' loader leaves what they lack at random, with a line of print."""
    import torch

    known = set(torch.load(file, map_location="cpu"))
    missing = sorted(key for key in set(generator.state_dict()) - known if not key.endswith("num_batches_tracked"))
    if missing:
        child.fail(f"{file} lacks {len(missing)} of the generator's tensors, {missing[0]} among them")


def read(path: str, device: Any) -> Any:
    """A PNG as ``(1, 3, H, W)`` RGB in [0, 1]."""
    import cv2
    import torch

    image: Any = cv2.imread(path, cv2.IMREAD_COLOR)
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return torch.from_numpy(rgb).to(device).permute(2, 0, 1)[None].float().div(255)


def main() -> None:
    """Load, then serve."""
    child.need("torch", "torchvision", "cv2", "numpy", "PIL")
    import cv2
    import torch
    from torch.nn import functional

    sys.path.insert(0, str(Path.cwd()))
    child.need("models.models", "options.test_options")
    chosen = arguments()
    model = load(chosen)
    device = next(model.netG.parameters()).device
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))

    def swap(source: str, target: str, out: str) -> None:
        with torch.no_grad():
            face = functional.interpolate((read(source, device) - mean) / std, size=(112, 112))
            identity = functional.normalize(model.netArc(face), p=2, dim=1)
            made = model(None, read(target, device), identity, None, True)[0]
        rgb = made.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        cv2.imwrite(out, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    child.serve(swap, f"SimSwap {chosen.size} on {device}", torch=torch.__version__)


if __name__ == "__main__":
    main()
