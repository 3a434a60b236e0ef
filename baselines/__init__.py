"""Face swappers, plugins all: reference rows and methods."""
