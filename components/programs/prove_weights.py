"""The weight proof for one sampler: in a process of its own as it serves training, then sabotaged in this one."""

from pathlib import Path
from typing import Any

from r1flow.components.core.models import load_model, load_tokenizer
from r1flow.components.data.ends import find_ends
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec, open_sampler
from r1flow.components.training.checks.weights import Trainer, honest, sabotaged, step


def main(raw: dict[str, Any]) -> dict[str, Any]:
    """``kind`` and ``model`` of the sampler; ``findings`` as (what, whether it holds, detail)."""
    directory, work = Path(raw["model"]), Path(raw["work"])
    tokenizer = load_tokenizer(directory)
    spec = SamplerSpec(
        kind=raw["kind"],
        model=directory,
        eos_id=find_ends(tokenizer, directory, "tokenizer").ids,
        pad_id=int(tokenizer.pad_token_id),
    )
    old, new = (load_model(directory, tokenizer=tokenizer) for _ in range(2))
    trainer = Trainer(old, new)
    step(trainer.new)
    with RemoteSampler(spec, work / "sampler") as sampler:
        findings = [honest(sampler, trainer)]
    return {"findings": [*findings, *sabotaged(open_sampler(spec), trainer)]}
