"""Figures of a finished run and of studies, for papers: one file an idea, all in one style."""
