"""The vLLM sampler: its engine inside this process (``engine``), what it really serves (``served``), the contract.

Installed by ``make cpu``; nothing outside this package imports vllm. What an engine does to its process, and what
follows:

* It makes this process a ``torch.distributed`` world of one. A trainer that is one of several ranks, or that starts
  DeepSpeed here, needs the sampler in a process of its own (:mod:`r1flow.components.sampling.remote`).
* It binds the process's memory to a NUMA node (``MEMBIND``). Closing an engine ends that world for every other one here:
  one at a time.
"""

from r1flow.components.sampling.vllm.sampler import VllmSampler

__all__ = ["VllmSampler"]
