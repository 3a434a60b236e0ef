"""How far a metric's numbers can be trusted: its floor, its ceiling, and how it answers to known changes."""
