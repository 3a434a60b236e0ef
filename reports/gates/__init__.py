"""Gates: whether the numbers of a run, or the time of a command, are still where they were."""
