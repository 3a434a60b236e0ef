"""Scripts that the interpreters of other code bases run, in their checkouts; never imported by the harness."""
