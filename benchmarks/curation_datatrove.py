"""datatrove's MinHash deduplication of one file, for benchmarks/curation.py: run by an interpreter that has datatrove.

    python curation_datatrove.py ROWS.jsonl WORKERS english|whitespace

Its own defaults (14 buckets of 8 hashes) but for shingles of two words, as on the other side, and one task per worker, which
reads a file of its own. Prints seconds and the ids of dropped rows as JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

LANGUAGES = {"english": "eng", "whitespace": "ace_Arab"}


def main() -> None:
    path, workers, language = Path(sys.argv[1]), int(sys.argv[2]), LANGUAGES[sys.argv[3]]
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        root = Path(directory)
        parts = [root / "rows" / f"{part}.jsonl" for part in range(workers)]
        split(path, parts)
        started = time.perf_counter()
        deduplicate(root, workers, language)
        seconds = time.perf_counter() - started
        kept = {json.loads(line)["id"] for file in (root / "kept").rglob("*.jsonl") for line in file.open()}
        ids = [json.loads(line)["id"] for line in path.open()]
    print(json.dumps({"seconds": seconds, "dropped": [row for row in ids if row not in kept]}))


def split(path: Path, parts: list[Path]) -> None:
    """A file per worker: the executor deals out files."""
    parts[0].parent.mkdir()
    streams = [part.open("w") for part in parts]
    for number, line in enumerate(path.open()):
        streams[number % len(streams)].write(line)
    for stream in streams:
        stream.close()


def deduplicate(root: Path, workers: int, language: str) -> None:
    config = MinhashConfig(n_grams=2)
    rows, signatures, buckets, removed = (str(root / name) for name in ("rows", "signatures", "buckets", "removed"))
    steps = [
        (workers, [JsonlReader(rows), MinhashDedupSignature(signatures, config, language)]),
        (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        (1, [MinhashDedupCluster(buckets, removed, config=config)]),
        (workers, [JsonlReader(rows), MinhashDedupFilter(removed), JsonlWriter(str(root / "kept"), compression=None)]),
    ]
    for number, (tasks, pipeline) in enumerate(steps):
        logs = str(root / "logs" / str(number))
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=min(tasks, workers), logging_dir=logs).run()


if __name__ == "__main__":
    main()
