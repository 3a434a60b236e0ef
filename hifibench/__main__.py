"""``python -m hifibench`` is the command ``hifibench``."""

from hifibench.cli import main

main()
