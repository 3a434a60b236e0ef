"""How fast methods are, honestly timed: latency of one pair, throughput of many, and how near the machine's limit.

The words are those of MLPerf's inference rules. A *scenario* is how work comes: ``single-stream`` (one pair after the
other) or ``offline`` (all at once, in batches). A *scope* is what of a swap is timed. Times stand in a file of their
own, ``throughput.json``, and never in ``results.json``.
"""
