"""Which asset files a suite opens, as the cards of its experts and methods name them."""

from __future__ import annotations

from hifibench import assets, registry
from hifibench.errors import UsageError
from hifibench.suite import PortraitData, Suite


def of_suite(suite: Suite) -> list[str]:
    """Names of all asset files that a run of the suite opens, each once; loads no network.

    Raises:
        UsageError: a card names a file that the catalogue does not hold.
    """
    from hifibench.faces.detect import Detector

    names = list(Detector.card.assets)
    for expert in suite.experts():
        names.extend(registry.experts.get(expert).card.assets)
    for method in suite.methods:
        names.extend(registry.swappers.get(method).card.assets)
    if isinstance(suite.data, PortraitData):
        from hifibench.data import portraits

        names.extend(portraits.ASSETS)
    known = assets.names()
    for name in names:
        if name not in known:
            raise UsageError(f"A card of the suite names the asset {name!r}.{registry.did_you_mean(name, known)}")
    return list(dict.fromkeys(names))
