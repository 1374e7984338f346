"""Log-probabilities in chunks: what a large vocabulary takes of a GPU's memory."""

import pytest
import torch
from torch.testing import assert_close

from r1flow.components.core.logits import CHUNK_BYTES, Head, token_logprobs

TOKENS, VOCABULARY, HIDDEN = 4096, 151_936, 896


def test_chunks_bound_the_memory_of_log_probabilities_and_their_gradient(device: torch.device) -> None:
    if device.type != "cuda":
        pytest.skip("only a GPU tells what its tensors took")
    hidden = torch.randn(TOKENS, HIDDEN, device=device, dtype=torch.bfloat16).requires_grad_()
    head = torch.randn(VOCABULARY, HIDDEN, device=device, dtype=torch.bfloat16).mul_(0.02).requires_grad_()
    targets = torch.randint(VOCABULARY, (TOKENS,), device=device)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    logp, entropy = token_logprobs(hidden, Head(head), targets)
    (logp.sum() + 0.01 * entropy.sum()).backward()
    torch.cuda.synchronize()
    taken = torch.cuda.max_memory_allocated() - before
    gradients = head.numel() * (4 + 2 + 4)  # summed in float32, rounded, and one product on its way into the sum
    assert taken < gradients + 4 * CHUNK_BYTES
    assert taken < TOKENS * VOCABULARY * 4 * 2  # the table and its gradient, which nobody ever made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_chunks_give_what_the_whole_table_gives(device: torch.device, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(64, 32, device=device, dtype=dtype)
    head = torch.randn(500, 32, device=device, dtype=dtype) * 0.3
    targets = torch.randint(500, (64,), device=device)
    found = []
    for chunk in (64, 7):
        h, w = hidden.clone().requires_grad_(), head.clone().requires_grad_()
        logp, entropy = token_logprobs(h, Head(w), targets, chunk_tokens=chunk)
        (logp.sum() + entropy.sum()).backward()
        assert h.grad is not None
        assert w.grad is not None
        found.append((logp.detach(), entropy.detach(), h.grad.float(), w.grad.float()))
    tolerance = 1e-4 if dtype == torch.float32 else 0.1
    for whole, chunked in zip(*found, strict=True):
        assert_close(whole, chunked, atol=tolerance, rtol=tolerance)
