"""The canonical text of a manifest is written piece by piece: the same as the JSON library writes at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from hifibench.records import ImageRef, Manifest, Pair

words = st.text(max_size=6)
labels = st.dictionaries(words, words, max_size=2)
images = st.lists(st.builds(ImageRef, words, words, words, words, st.integers(0, 9), words, labels), max_size=3)
pairs = st.lists(st.builds(Pair, words, words, words, words), max_size=3)
galleries = st.dictionaries(words, st.lists(words, max_size=2).map(tuple), max_size=2)


@given(st.builds(Manifest, images.map(tuple), pairs.map(tuple), galleries, words))
def test_the_text_is_the_librarys(manifest: Manifest) -> None:
    raw = asdict(manifest)
    raw["images"] = [{key: value for key, value in row.items() if value or key != "labels"} for row in raw["images"]]
    raw["pairs"] = [{key: value for key, value in row.items() if value or key != "truth"} for row in raw["pairs"]]
    text = json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    assert manifest.to_json() == text
    assert manifest.hash == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    assert Manifest.from_json(text) == manifest
