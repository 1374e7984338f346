"""Curation of rows: evaluation problems out, duplicates out, variants counted; in shards on disk, by a pool of processes.

``pipeline`` ties the steps together. What is done to one shard is a pure function of that shard's file (``describe``), so
the outcome depends neither on the number of workers nor on which of them died. The steps between shards (``duplicates``,
``variants``) walk the rows in source order, the better source first.

Not here: reading sources (``components/data``), what an artifact's files are called (``components/programs/curate.py``).
"""
