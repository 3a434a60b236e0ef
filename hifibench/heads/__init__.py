"""Rendered human heads of which everything is known; `hifibench.data.heads` names, keeps and hands them out."""
