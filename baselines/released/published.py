"""Rules of the releases that are publicly described, and where each is to be had.

Sources: the dataset pages of FaceForensics++ (github.com/ondyari/FaceForensics), HifiFace
(github.com/johannwyh/HifiFace, ``docs/index.html``), DeeperForensics-1.0 (github.com/EndlessSora/DeeperForensics-1.0,
``dataset/README.md``) and AOT (github.com/zhuhaozh/AOT). What they do not say is not filled in: it stands in
``limits``, and the user's table decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FFPP_PAPER = "A. Rössler et al., FaceForensics++: Learning to detect manipulated facial images, ICCV 2019"
FFPP_TERMS = "FaceForensics++ terms of use: non-commercial research and education"
_FFPP = (
    "FaceForensics++ is given out after a form on https://github.com/ondyari/FaceForensics has been filled in "
    "(non-commercial research and education)."
)
_LENGTHS = "Videos differ in length from their originals: frames beyond the end have no swap."


@dataclass(frozen=True)
class Published:
    """One release.

    Attributes:
        method: its row in the tables.
        home: folder below ``<cache>/methods`` in which the release, or a link to it, is looked for.
        fields: what is known of its table (`baselines.released.release.Release`).
        origin: where it is to be had, and under which terms.
        holds: what the folder holds at its top.
        lacks: keys that nobody has described publicly, and that the user's table must give.
        compressions: the only ones there are; empty where the rule knows none.
    """

    method: str
    home: str
    fields: Mapping[str, Any]
    origin: str
    holds: str
    lacks: tuple[str, ...] = ()
    compressions: tuple[str, ...] = ()


def _ffpp(method: str, folder: str, summary: str, paper: str, limits: str = "") -> Published:
    # AAA_BBB.mp4: AAA is the target, whose background and frames they are, BBB gave the face.
    fields = {
        "path": f"manipulated_sequences/{folder}/{{compression}}/videos/{{target_video}}_{{source_video}}.mp4",
        "frame": "target",
        "compression": "c23",
        "summary": f"{summary}; the videos of FaceForensics++",
        "paper": f"{paper}; {FFPP_PAPER}",
        "licence": FFPP_TERMS,
        "limits": f"{limits} {_LENGTHS}".strip(),
    }
    holds = "manipulated_sequences and original_sequences"
    return Published(method, "ffpp", fields, _FFPP, holds, compressions=("raw", "c23", "c40"))


RULES: Mapping[str, Published] = {
    "ffpp-faceswap": _ffpp(
        "faceswap-ffpp",
        "FaceSwap",
        "FaceSwap: a fitted 3D face, blended",
        "M. Kowalski, FaceSwap, github.com/MarekKowalski/FaceSwap",
    ),
    "ffpp-faceshifter": _ffpp(
        "faceshifter-ffpp",
        "FaceShifter",
        "FaceShifter by its authors",
        "L. Li et al., FaceShifter: Towards high fidelity and occlusion aware face swapping, arXiv:1912.13457",
    ),
    "ffpp-deepfakes": _ffpp(
        "deepfakes-ffpp",
        "Deepfakes",
        "Deepfakes: an autoencoder trained for each pair of videos",
        "github.com/deepfakes/faceswap",
        "It was trained on each pair of videos, which methods that swap any two faces are not.",
    ),
    "ffpp-neuraltextures": _ffpp(
        "neuraltextures-ffpp",
        "NeuralTextures",
        "NeuralTextures: the source's expression on the target's face",
        "J. Thies et al., Deferred neural rendering, SIGGRAPH 2019 (arXiv:1904.12356)",
        "A reenactment: the face stays the target's, so that its identity and expression scores are no swap's.",
    ),
    "hififace-ffpp": Published(
        method="hififace-ffpp",
        home="hififace-ffpp",
        fields={
            "path": "{target_video}_{source_video}.mp4",
            "frame": "target",
            "summary": "HifiFace by its authors; their 1,000 videos of FaceForensics++",
            "paper": "Y. Wang et al., HifiFace: 3D shape and semantic prior guided high fidelity face swapping, "
            "IJCAI 2021 (arXiv:2106.09965)",
            "licence": f"none stated by its authors; made from {FFPP_TERMS}",
            "limits": "The form of the authors' config, which names each video's source frame, and the folders of "
            f"their archive are not publicly described: the table says where they are. {_LENGTHS}",
        },
        origin="FF++_HifiFace.tar.gz (MD5 5b596ac8025c25f69f24fd7783ec8133) is linked from the page "
        "in https://github.com/johannwyh/HifiFace; its authors state no terms, those of FaceForensics++ hold.",
        holds='the videos, <target>_<source>.mp4, and their config as JSON {"<target>_<source>": frame, …} or as CSV',
        lacks=("source_frames",),
    ),
    "fsgan-ffpp": Published(
        method="fsgan-ffpp",
        home="fsgan-ffpp",
        fields={
            "summary": "FSGAN, released swaps of FaceForensics++",
            "paper": "Y. Nirkin et al., FSGAN: Subject agnostic face swapping and reenactment, ICCV 2019 "
            "(arXiv:1908.05932)",
            "licence": f"not stated; made from {FFPP_TERMS}",
            "limits": "The layout of the release is not publicly described: the table decides.",
        },
        origin="Ask its authors (https://github.com/YuvalNirkin/fsgan).",
        holds="whatever the table says",
        lacks=("path", "frame"),
    ),
    "aot": Published(
        method="aot",
        home="aot",
        fields={
            "summary": "AOT, released swaps of FaceForensics++, relit by optimal transport",
            "paper": "H. Zhu et al., AOT: Appearance optimal transport based identity swapping for forgery detection, "
            "NeurIPS 2020 (arXiv:2011.02674)",
            "licence": f"none stated by its authors; made from {FFPP_TERMS}",
            "limits": "It refines swaps of DeepFaceLab and of DeeperForensics-1.0, 100 videos each. The layout of the "
            "release is not publicly described: the table decides.",
        },
        origin="It is linked from https://github.com/zhuhaozh/AOT; its authors state no terms but that it is not for "
        "malicious use.",
        holds="whatever the table says",
        lacks=("path", "frame"),
    ),
    "deeperforensics": Published(
        method="deeperforensics",
        home="deeperforensics",
        fields={
            "path": "manipulated_videos/end_to_end/{target_video}_{source_id}.mp4",
            "frame": "target",
            "summary": "DF-VAE; the end-to-end videos of DeeperForensics-1.0",
            "paper": "L. Jiang et al., DeeperForensics-1.0: A large-scale dataset for real-world face forgery "
            "detection, CVPR 2020 (arXiv:2001.03024)",
            "licence": "DeeperForensics-1.0 terms of use",
            "limits": "Targets are the c23 videos of FaceForensics++; sources are actors, so that source_id must be "
            "the actor's (M004, W101). DF-VAE was trained on the actors. That frame N is the target's frame N is not "
            f"said by its authors. {_LENGTHS}",
        },
        origin="DeeperForensics-1.0 is given out after a form on https://github.com/EndlessSora/DeeperForensics-1.0 "
        "has been filled in (its Terms_of_Use.pdf).",
        holds="manipulated_videos",
    ),
}
"""Rule, as it stands in a table, to release."""
