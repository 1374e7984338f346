"""The model of a proof that is given none: untrained, small, the same everywhere."""

import torch
from transformers import PreTrainedModel

from r1flow.components.data.tinyworld.model import build_model

VOCABULARY, EOS, PAD = 40, 1, 0
SHARPNESS = 4.0


@torch.no_grad()
def small_model(seed: int = 0) -> PreTrainedModel:
    """A random two-layer Qwen3 with tied embeddings, sharp enough that its distributions are not flat.

    Gradients of trained models are worse conditioned: plain float32 is further from float64 there.
    """
    torch.manual_seed(seed)
    model = build_model("student", VOCABULARY, eos_id=EOS, pad_id=PAD).eval()
    model.get_input_embeddings().weight.mul_(SHARPNESS)
    return model
