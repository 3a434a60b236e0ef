"""Looking into a trained HifiFace: the data behind the paper's Fig. 9, 10 and 11, and behind its masks.

One file a study. A study computes and writes (`study.save`); `reports.figures.studies` draws from what was written.
"""
