"""Whether a method keeps to its contract: known pairs are swapped, and each check finds one kind of defect."""
