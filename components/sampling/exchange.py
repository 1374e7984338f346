"""Files that trainer and sampler trade: weights as safetensors, requests and completions as Parquet.

Each is written under another name and then renamed, so that a reader sees all of it or nothing.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import load_file, save_file
from torch import Tensor

from r1flow.components.sampling.base import Completion, Request

REQUESTS = pa.schema([("prompt_ids", pa.list_(pa.int32())), ("seed", pa.uint64())])
COMPLETIONS = pa.schema(
    # 64 bits: the sampler's numbers, unrounded.
    [("ids", pa.list_(pa.int32())), ("logprobs", pa.list_(pa.float64())), ("finished", pa.bool_())]
)


def write_weights(path: Path, named_tensors: Iterable[tuple[str, Tensor]]) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in named_tensors}
    _whole(path, lambda draft: save_file(tensors, draft))


def read_weights(path: Path) -> list[tuple[str, Tensor]]:
    return list(load_file(path).items())


def write_requests(path: Path, requests: Sequence[Request]) -> None:
    columns = [[r.prompt_ids for r in requests], [r.seed for r in requests]]
    _whole(path, lambda draft: pq.write_table(pa.table(columns, schema=REQUESTS), draft))


def read_requests(path: Path) -> list[Request]:
    columns = pq.read_table(path, schema=REQUESTS).to_pydict()
    return [Request(tuple(ids), seed) for ids, seed in zip(columns["prompt_ids"], columns["seed"], strict=True)]


def write_completions(path: Path, completions: Sequence[Completion]) -> None:
    columns = [[c.ids for c in completions], [c.logprobs for c in completions], [c.finished for c in completions]]
    _whole(path, lambda draft: pq.write_table(pa.table(columns, schema=COMPLETIONS), draft))


def read_completions(path: Path) -> list[Completion]:
    columns = pq.read_table(path, schema=COMPLETIONS).to_pydict()
    rows = zip(columns["ids"], columns["logprobs"], columns["finished"], strict=True)
    return [Completion(tuple(ids), tuple(logprobs), finished) for ids, logprobs, finished in rows]


def _whole(path: Path, write: Callable[[Path], None]) -> None:
    draft = path.with_name(path.name + ".part")
    write(draft)
    os.replace(draft, path)
