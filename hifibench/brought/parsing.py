"""Face parsing that the user brings."""

from __future__ import annotations

from hifibench.asset_records import Brought, Licence

_CELEBAMASK = Licence("MIT; trained on CelebAMask-HQ, non-commercial research", research_only=True)
_HRNET = Licence("MIT for the code; that of the faces it was trained on", research_only=True)

FILES: tuple[Brought, ...] = (
    Brought(
        "bisenet-celebamask",
        ("79999_iter.pth", "parsing_bisenet.pth"),
        "BiSeNet face parsing, 19 classes",
        "https://github.com/zllrunning/face-parsing.PyTorch (link in its README)",
        _CELEBAMASK,
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
    ),
    # The paper names no release, and no public weights of such a network were found: only a training of one's own.
    Brought(
        "hrnet-face-parsing",
        ("best.pth", "final_state.pth", "hrnet_face_parsing.pth"),
        "HRNetV2 face parsing, 19 or 11 classes",
        "a training of https://github.com/HRNet/HRNet-Semantic-Segmentation on CelebAMask-HQ or LaPa",
        _HRNET,
    ),
)
