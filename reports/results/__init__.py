"""``results.json`` as a file: its schemas, the rules beyond them, and older versions in the words of the newest."""
