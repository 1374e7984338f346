"""Metrics, runs and the model registry: the only room that speaks MLflow.

Programs append to a spool (``metrics``), runs to an outbox (``runs``, ``outbox``); a thread sends it (``ship``, ``mirror``), so
nothing that computes waits for a server. ``promotions`` is the log of champions, ``registry`` its projection, ``reindex``
makes the whole database anew from the store.
"""
