"""Face models, their networks, and head pose that the user brings."""

from __future__ import annotations

from hifibench.asset_records import Brought, Licence

FILES: tuple[Brought, ...] = (
    Brought(
        name="deep3d",
        filenames=("epoch_20.pth",),
        network="Deep3DFaceRecon, ResNet-50 of its PyTorch release",
        origin="https://github.com/sicxu/Deep3DFaceRecon_pytorch, the pre-trained model of its README",
        licence=Licence("code MIT; coefficients of the Basel Face Model: non-commercial research", research_only=True),
    ),
    Brought(
        name="bfm-front",
        filenames=("BFM_model_front.mat",),
        network="Basel Face Model of 2009, cut to the front of the face",
        # The indices that cut it lie in the same repository.
        origin="transferBFM09() of https://github.com/sicxu/Deep3DFaceRecon_pytorch makes it from "
        "01_MorphableModel.mat (https://faces.dmi.unibas.ch/bfm) and Exp_Pca.bin (https://github.com/Juyong/3DFace)",
        licence=Licence("Basel Face Model: non-commercial research, not to be passed on", research_only=True),
        registration=True,
    ),
    Brought(
        name="ringnet",
        filenames=("ringnet.safetensors",),
        network="RingNet (ring_6_68641), made by 'hifibench assets convert ringnet CHECKPOINT'",
        origin="the checkpoint: https://ringnet.is.tue.mpg.de, downloads",
        licence=Licence("Max Planck licence for RingNet: non-commercial research", research_only=True),
        registration=True,
    ),
    Brought(
        name="hopenet",
        filenames=("hopenet_robust_alpha1.pkl",),
        network="Hopenet, robust, alpha 1",
        origin="https://github.com/natanielruiz/deep-head-pose, in its README '300W-LP, alpha 1, robust to image "
        "quality'",
        licence=Licence("Apache-2.0"),
    ),
)
