"""Face recognisers that the user brings."""

from __future__ import annotations

from hifibench.asset_records import Brought, Licence

_RELEASES = "https://github.com/deepinsight/insightface/releases/download/v0.7"
_INSIGHTFACE = Licence("InsightFace models, non-commercial research only", research_only=True)


def _pack(name: str, archive: str, filename: str, network: str) -> Brought:
    """The recogniser of a model pack of the package ``insightface``."""
    origin = f"{filename} in {_RELEASES}/{archive}.zip"
    return Brought(name, (filename,), f"InsightFace {archive}, {network}", origin, _INSIGHTFACE)


FILES: tuple[Brought, ...] = (
    Brought(
        name="cosface",
        filenames=("ACC99.28.pth",),
        network="CosFace, sphere20",
        origin="https://github.com/MuggleWang/CosFace_pytorch, Baidu disk, password in the README",
        licence=Licence("MIT; trained on CASIA-WebFace, research", research_only=True),
        registration=True,
    ),
    Brought(
        name="curricularface",
        filenames=("CurricularFace_Backbone.pth",),
        network="CurricularFace, IR-101",
        origin="https://github.com/HuangYG123/CurricularFace, Google Drive or Baidu disk",
        licence=Licence("code MIT; trained on MS1MV2, research", research_only=True),
    ),
    Brought(
        name="arcface-r100",
        filenames=("backbone.pth", "backbone.onnx", "glintr100.onnx"),
        network="ArcFace, iResNet-100",
        origin="https://github.com/deepinsight/insightface, recognition/arcface_torch, an r100 of its model zoo",
        licence=_INSIGHTFACE,
    ),
    _pack("buffalo-l", "buffalo_l", "w600k_r50.onnx", "ResNet-50 on WebFace600K"),
    _pack("buffalo-m", "buffalo_m", "w600k_r50.onnx", "ResNet-50 on WebFace600K"),
    _pack("buffalo-s", "buffalo_s", "w600k_mbf.onnx", "MobileFaceNet on WebFace600K"),
    _pack("buffalo-sc", "buffalo_sc", "w600k_mbf.onnx", "MobileFaceNet on WebFace600K"),
    _pack("antelopev2", "antelopev2", "glintr100.onnx", "ResNet-100 on Glint360K"),
)
"""By InsightFace's tables ``buffalo-l`` and ``-m`` share their recogniser, and so do ``buffalo-s`` and ``-sc``."""
