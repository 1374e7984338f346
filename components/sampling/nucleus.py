"""Drawing one token per row from logits and a uniform number, independent of the other rows."""

import torch
from torch import Tensor


def draw(logits: Tensor, uniform: Tensor, *, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """Inverse-CDF sampling: token and its log-probability for every row.

    ``logits`` (B, V), ``uniform`` (B,) in [0, 1). The log-probability is that of the distribution at ``temperature``
    *before* the nucleus cut (which is what a trainer can recompute). ``temperature`` 0 is greedy.

    With ``top_p`` < 1 only the smallest set of likeliest tokens whose mass reaches ``top_p`` can be drawn (Holtzman et
    al. 2019); the likeliest token always stays.
    """
    if temperature == 0:
        logp = logits.float().log_softmax(-1)
        token = logits.argmax(-1)
        return token, logp.gather(-1, token[:, None]).squeeze(-1)
    logits = logits.float()
    logp = (logits if temperature == 1 else logits / temperature).log_softmax(-1)
    probs = logp.exp()
    if top_p < 1:
        ordered, order = probs.sort(stable=True, dim=-1, descending=True)
        cut = ordered.cumsum(-1) - ordered >= top_p
        cut[:, 0] = False
        probs = probs.scatter(-1, order, ordered.masked_fill(cut, 0.0))
    cumulative = probs.double().cumsum(-1)
    total = cumulative[:, -1:]
    # Rounding may put the target at the very end, past the last token that has any mass: it stays below it.
    target = (uniform.double()[:, None] * total).minimum(total.nextafter(torch.zeros_like(total)))
    token = torch.searchsorted(cumulative, target, right=True).squeeze(-1)
    token = token.clamp(max=probs.shape[-1] - 1)  # what is no number has no place
    return token, logp.gather(-1, token[:, None]).squeeze(-1)
