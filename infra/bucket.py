"""``python -m infra.bucket NAME`` makes a bucket that is not there yet, and waits until it can be written."""

import sys
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

START_S = 60.0


def main(name: str) -> None:
    """Endpoint and credentials come from AWS_*. Raises what boto3 raises, when that lasts: the gateway answers before its
    volumes can be written."""
    client = boto3.client("s3", config=Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1}))
    deadline = time.monotonic() + START_S
    while True:
        try:
            if name not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=name)
                print(f"made the bucket {name}")
            probe = f"probe/{uuid.uuid4().hex}"
            client.put_object(Bucket=name, Key=probe, Body=b"1")
            client.delete_object(Bucket=name, Key=probe)
            return
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


if __name__ == "__main__":
    main(sys.argv[1])
