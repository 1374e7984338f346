"""Estimators of the divergence between the policy and its reference, per token.

http://joschu.net/blog/kl-approx.html. All take log-probabilities of the sampled tokens, any shape, and carry a gradient
through ``logp`` alone. Their means over tokens drawn from the policy: k1 and k3 KL(policy || reference), k2 about it.
"""

from typing import Literal

from torch import Tensor

Estimator = Literal["k1", "k2", "k3"]


def k1(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``logp - ref_logp``: unbiased, of either sign.

    As a loss term its expected gradient is 0 (the gradient of log p averages to 0 under p), so it belongs into a reward, or
    into a loss when multiplied by the ratio.
    """
    return logp - ref_logp.detach()


def k2(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``(logp - ref_logp)^2 / 2``: biased as a value, but on-policy its gradient is that of KL(policy || reference)."""
    return (logp - ref_logp.detach()) ** 2 / 2


def k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """``exp(d) - d - 1`` with ``d = ref_logp - logp``: never negative, zero where the two agree, unbiased as a value.

    The form in DeepSeekMath eq. 4 and R1 eq. 2. Multiplied by ``rho = exp(logp - old_logp)`` its gradient is unbiased too
    (DeepSeek-V3.2, arXiv 2512.02556).
    """
    d = ref_logp.detach() - logp
    return d.exp() - d - 1


ESTIMATORS = {"k1": k1, "k2": k2, "k3": k3}
