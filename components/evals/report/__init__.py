"""The run report: one self-contained HTML page that says what a run did, with its metrics beside the paper's.

``names``, ``stages`` and ``paper`` are plain metrics and import light; ``curves`` draws, ``samples`` and ``rivals`` look
into the answers, ``tables`` and ``curation`` count, ``page`` puts it all together.
"""
