"""Two finished runs side by side: which numbers differ, by how much, and in which pairs."""
