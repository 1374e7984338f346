"""The run report: one self-contained HTML page that says what a run did, with its figures beside the paper's.

``stages`` and ``paper`` are plain figures and import light; ``curves`` draws, ``samples`` and ``students`` look into
the answers, ``tables`` counts, ``page`` puts it all together.
"""
