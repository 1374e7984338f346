"""The whole stack on this machine: PostgreSQL, S3, MLflow, Prefect and workers, as `make stack` starts them."""
