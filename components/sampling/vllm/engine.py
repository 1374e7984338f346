"""Starting vLLM's engine inside this process, and leaving the process otherwise as it was.

What is said of CUDA follows vLLM 0.32's source and has not been run.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from r1flow.components.core.errors import ConfigError

MAX_ROWS = 256  # sequences in one step
BLOCK = 32  # tokens; prefixes are shared in whole blocks, and vLLM's 128 on CPU would share none of a short prompt
STEP_TOKENS = 4096
MAX_CACHE_BYTES = 4 * 2**30

ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # weights go in by reference
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # the cores are shared with the trainer
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    # The sampler of the second model runner has no place between temperature and nucleus (see VllmSampler). It is the
    # default on CUDA alone.
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}
WHILE_STARTING = {
    "GLOO_SOCKET_IFNAME": "lo",  # gloo listens even in a world of one
    # One compiled function of the sampler (the rank of a token, which nobody asks for) makes the first batch cost 17 s.
    "TORCHDYNAMO_DISABLE": "1",
}


def start_engine(
    directory: Path, *, dtype: str, max_length: int, place: dict[str, Any], config: dict[str, Any] | None = None
) -> Any:
    """A ``vllm.v1.engine.llm_engine.LLMEngine`` that serves ``directory``.

    ``place`` holds what differs by device: :func:`on_cpu` or :func:`on_cuda`; ``config`` stands before the directory's own.
    Raises :class:`ConfigError` where vLLM is not installed.
    """
    os.environ.update(ENVIRONMENT)
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    with _restored(eager=bool(place["enforce_eager"])):
        try:
            from vllm import EngineArgs, LLMEngine  # type: ignore[import-not-found, unused-ignore]
        except ImportError as error:
            raise ConfigError(
                f"run.sampler: vllm cannot be imported ({error}); run `make cpu`, or set run.sampler = 'transformers'"
            ) from error
        asked = EngineArgs(
            model=str(directory),
            dtype=dtype,
            enable_prefix_caching=True,
            max_num_seqs=MAX_ROWS,
            max_model_len=max_length,
            logprobs_mode="processed_logprobs",
            skip_tokenizer_init=True,  # token ids in, token ids out
            generation_config="vllm",  # the model directory's own would change temperature, top_k and end tokens
            disable_log_stats=True,
            seed=0,
            hf_overrides=config or {},
            **place,
        )
        with _own_classes() if place["enforce_eager"] else nullcontext():
            return LLMEngine.from_engine_args(asked)


def on_cpu(*, dtype: str, layers: int, kv_values: int, max_length: int) -> dict[str, Any]:
    """Engine arguments for a CPU.

    ``layers`` and ``kv_values`` (keys of one token in one layer) size the cache: as many sequences of ``max_length`` as
    run at once, within 4 GiB.
    """
    width = torch.empty(0, dtype=getattr(torch, dtype)).element_size()
    row_bytes = 2 * layers * kv_values * width * -(-max_length // BLOCK) * BLOCK
    return {
        "enforce_eager": True,
        "block_size": BLOCK,
        "kv_cache_memory_bytes": max(row_bytes, min(MAX_ROWS * row_bytes, MAX_CACHE_BYTES)),
        # A prompt is computed in one step: between two parts of one, vLLM would wind a seeded request's generator
        # back, which a CPU generator refuses ("CPU Generator does not use offset").
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": max(STEP_TOKENS, max_length),
    }


def on_cuda(*, memory: float, colocated: bool) -> dict[str, Any]:
    """Engine arguments for a GPU: captured graphs, ``memory`` of the card, and the means to give it back between batches."""
    return {"enforce_eager": False, "gpu_memory_utilization": memory, "enable_sleep_mode": colocated}


def stop_engine(engine: Any) -> None:
    """Free the cache and end the process group."""
    from vllm.distributed import cleanup_dist_env_and_memory  # type: ignore[import-not-found, unused-ignore]

    engine.engine_core.shutdown()
    cleanup_dist_env_and_memory()


@contextmanager
def _own_classes() -> Iterator[None]:
    """Leave transformers' classes as they are.

    For a family that vLLM serves by transformers' own modules it makes the class of the decoder one that compiles itself, and
    every other model of that class in this process, a trainer's for one, fails at its next call.
    """
    from vllm.model_executor.models.transformers.base import Base  # type: ignore[import-not-found, unused-ignore]

    decorate = Base._decorate_cls_for_torch_compile
    Base._decorate_cls_for_torch_compile = lambda *args, **kwargs: None
    try:
        yield
    finally:
        Base._decorate_cls_for_torch_compile = decorate


@contextmanager
def _restored(*, eager: bool) -> Iterator[None]:
    """Set WHILE_STARTING, and take back what vLLM's CPU worker does to torch's threads.

    It replaces ``torch.set_num_threads`` by a function that does nothing. An engine that compiles keeps its compiler.
    """
    variables = {n: v for n, v in WHILE_STARTING.items() if eager or n != "TORCHDYNAMO_DISABLE"}
    before = {name: os.environ.get(name) for name in variables}
    set_num_threads, threads = torch.set_num_threads, torch.get_num_threads()
    os.environ.update(variables)
    try:
        yield
    finally:
        torch.set_num_threads = set_num_threads
        torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
