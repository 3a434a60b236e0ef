"""One table over several finished runs."""
