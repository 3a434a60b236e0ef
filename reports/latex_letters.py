r"""Text that LaTeX prints as it stands, with ``pdflatex`` and without a package."""

from __future__ import annotations

import re
import unicodedata

LONG_WORD = 12
"""Longer words may be broken in running text."""

_APART = "\ue000"
_SIGNS = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    # A bracket at the start of a row would be read as the optional argument of the line break before it.
    "[": "{[}",
    "]": "{]}",
    "←": r"$\leftarrow$", "→": r"$\rightarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "↔": r"$\leftrightarrow$",
    "⇒": r"$\Rightarrow$", "°": r"$^\circ$", "±": r"$\pm$", "\u00d7": r"$\times$", "÷": r"$\div$", "·": r"$\cdot$",
    "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "≠": r"$\neq$", "≡": r"$\equiv$", "\u2225": r"$\parallel$",
    "∞": r"$\infty$",
    "√": r"$\surd$", "∑": r"$\sum$", "∈": r"$\in$", "\u2212": "$-$", "²": "$^2$", "³": "$^3$", "¹": "$^1$",
    "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}", "•": r"\textbullet{}", "…": r"\dots{}",
    "\u2013": "--", "—": "---", "\u2018": "`", "\u2019": "'", "“": "``", "”": "''",
    "„": ",,", "«": r"$\ll$", "»": r"$\gg$", _APART: "{}",
    "©": r"\copyright{}", "®": "(R)", "™": "(TM)", "£": r"\pounds{}", "€": "EUR",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "ł": r"\l{}", "Ł": r"\L{}", "\u0131": r"\i{}", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
    "µ": r"$\mu$", "\u03bf": "o", "ς": r"$\varsigma$",
}  # fmt: skip
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0327": "c", "\u0331": "b",
}  # fmt: skip
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)")
_LATIN_CAPITALS = {
    "ALPHA": "A", "BETA": "B", "EPSILON": "E", "ZETA": "Z", "ETA": "H", "IOTA": "I", "KAPPA": "K", "MU": "M",
    "NU": "N", "OMICRON": "O", "RHO": "P", "TAU": "T", "UPSILON": "Y", "CHI": "X",
}  # fmt: skip
_GREEK_NAMES = {*_LATIN_CAPITALS, "GAMMA", "DELTA", "THETA", "XI", "PI", "SIGMA", "PHI", "PSI", "OMEGA"}


def latex_escape(text: str) -> str:
    r"""Text in one line that LaTeX prints as it stands, with ``pdflatex`` and without a package.

    Letters with accents, Greek letters and common signs keep their look; of another character that can be written in
    ASCII that is printed, of any other its number, as ``[U+4E2D]``. What has no look (control characters) is left out.

    Example:
        >>> latex_escape("50 % Ö μ 中 ﬁ")
        '50 \\% \\"{O} $\\mu$ {[}U+4E2D{]} fi'
    """
    # Hyphens side by side would become a dash, quotes a double quote.
    return "".join(map(_letter, re.sub(r"([-',])(?=\1)", rf"\1{_APART}", printed(text))))


def printed(text: str) -> str:
    """What `latex_escape` lets be seen of a text: characters that LaTeX does not know are replaced by others.

    Example:
        >>> printed("½ 中")
        '1/2 [U+4E2D]'
    """
    # An accent may stand apart from its letter.
    return "".join(map(_shown, unicodedata.normalize("NFC", " ".join(text.split()))))


def latex_running(text: str) -> str:
    """`latex_escape` for running text: long words may be broken."""
    return " ".join(map(_breakable, printed(text).split()))


def _breakable(word: str) -> str:
    if len(word) <= LONG_WORD:
        return latex_escape(word)
    parts = re.findall(r"[^_,\]/=;:.-]*[_,\]/=;:.-]|[^_,\]/=;:.-]+", word)
    pieces = (part[at : at + LONG_WORD] for part in parts for at in range(0, len(part), LONG_WORD))
    return r"\allowbreak{}".join(map(latex_escape, pieces))


def _shown(letter: str) -> str:
    """The letter where LaTeX can print it, else what stands for it."""
    if letter in _SIGNS or (letter.isascii() and letter.isprintable()) or _accented(letter) or _greek(letter):
        return letter
    if unicodedata.category(letter) in ("Cc", "Cf", "Mn", "Me"):
        return ""
    plain = "".join(one for one in unicodedata.normalize("NFKD", letter) if unicodedata.category(one) != "Mn")
    if plain and plain != letter:
        return "".join(map(_shown, plain.replace("\u2044", "/")))
    return f"[U+{ord(letter):04X}]"


def _letter(letter: str) -> str:
    """A letter that can be printed, for LaTeX."""
    return _SIGNS.get(letter) or _accented(letter) or _greek(letter) or letter


def _accented(letter: str) -> str | None:
    """A letter of ASCII with accents that LaTeX has; ``None`` for any other."""
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if not marks or not base.isascii() or any(mark not in _ACCENTS for mark in marks):
        return None
    made = {"i": r"\i{}", "j": r"\j{}"}.get(base, base)
    for mark in marks:
        made = rf"\{_ACCENTS[mark]}{{{made}}}"
    return made


def _greek(letter: str) -> str | None:
    """The letter in mathematics, where LaTeX names it or it looks like a Latin one."""
    found = _GREEK.fullmatch(unicodedata.name(letter, ""))
    if found is None:
        return None
    size, name = found.groups()
    name = "LAMBDA" if name == "LAMDA" else name
    if name not in {*_GREEK_NAMES, "LAMBDA"}:
        return None
    if size == "SMALL":
        return rf"$\{name.lower()}$"
    return _LATIN_CAPITALS.get(name) or rf"$\{name.capitalize()}$"
