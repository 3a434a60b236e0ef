"""The embedded pair of forgery detectors: self-blended faces, the two detectors trained on them, and the training."""
