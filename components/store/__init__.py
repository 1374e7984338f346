"""The truth of a run: write-once artifacts, checkpoints and leases on a directory or an S3 bucket.

``objects`` opens a store, ``artifact`` publishes and verifies, ``fingerprint`` names what a stage computes,
``checkpoint`` keeps the state of work that is under way, ``lease`` lets one process compute a thing at a time. Nothing
here knows Prefect, MLflow or torch.
"""
