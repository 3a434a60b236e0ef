"""Style, script and data of the page as they stand inside of it, and the policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

SCRIPTS = ("page_data.js", "page_tables.js", "page_strips.js", "page_pairs.js", "page_viewer.js", "page.js")
"""In the order in which they run; each may use what those before it define."""

_TEMPLATES = Path(__file__).parents[1] / "templates"
_UNSAFE = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


@cache
def style() -> Markup:
    """The style sheet; like the scripts a file of this package, so nothing in it needs to be escaped."""
    return Markup(_read("page.css"))


@cache
def script() -> Markup:
    """All scripts in one scope of their own."""
    joined = "\n".join(_read(name) for name in SCRIPTS)
    return Markup(f'(() => {{\n"use strict";\n{joined}}})();\n')


def data(value: Any) -> Markup:
    """JSON that stands anywhere in a page or a script: no name in it can end an element or begin a comment.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate(_UNSAFE))


def policy(beside: bool) -> str:
    """The content security policy: this style, this script, pictures, and no other word to anybody.

    Args:
        beside: whether the page reads pictures and numbers that lie beside it.
    """
    near = " 'self' file:" if beside else ""
    return "; ".join(
        (
            "default-src 'none'",
            f"img-src data:{near}",
            f"style-src {_hash(style())}",
            f"script-src {_hash(script())}{near}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
