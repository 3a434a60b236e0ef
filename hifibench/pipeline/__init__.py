"""The five stages of a run: plan, swap, observe, score, report; and the run folder between them."""
