"""The report as a page that a reader explores."""
