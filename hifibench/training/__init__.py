"""One training loop for every swapper that can be trained."""
