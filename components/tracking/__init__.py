"""Metrics, runs and the model registry: the only room that speaks MLflow.

Training never waits for a tracking server: programs append to a spool file, the supervisor ships it in batches. What an
outage held back is sent later; what could never be sent is counted and still lies in the artifact's history.
"""
