"""Estimators of the divergence between the policy and its reference."""

from torch import Tensor


def k3(logp: Tensor, ref_logp: Tensor) -> Tensor:
    """Per token ``exp(d) - d - 1`` with ``d = ref_logp - logp``: Schulman's k3 estimate of KL(policy || reference).

    Never negative, zero where the two agree, unbiased for tokens drawn from the policy (http://joschu.net/blog/kl-approx.html);
    the form in DeepSeekMath eq. 4 and R1 eq. 2. Any shape; gradient through ``logp`` alone.
    """
    d = ref_logp.detach() - logp
    return d.exp() - d - 1
