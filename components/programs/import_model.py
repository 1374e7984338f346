"""Takes a start model into the store: checked, loaded once, saved again as plain safetensors with its tokenizer.

Of a ``.gguf`` file the artifact's card says that its weights are dequantised, and from what.
"""

from typing import Any

from r1flow.components.core.artifacts import Policy
from r1flow.components.core.errors import ModelError
from r1flow.components.core.gguf import SUFFIX
from r1flow.components.core.gguf_header import read_header
from r1flow.components.core.models import load_model, load_tokenizer, save_model
from r1flow.components.core.positions import known_positions
from r1flow.components.costs.parameters import count_parameters
from r1flow.components.programs.language_model import set_threads
from r1flow.components.programs.spec import Spec
from r1flow.components.programs.start_model import check_ids, check_sampling
from r1flow.components.recipe.models import ModelConfig
from r1flow.components.sampling.vllm_families import UNSERVED, unserved
from r1flow.components.store.models import locate_model

DEQUANTISED = """# Start model from a GGUF file

Its weights are dequantised: {header}. They are the numbers
that the file stands for, which differ from those of the model that was quantised.
"""


def main(raw: dict[str, Any]) -> dict[str, float]:
    spec = Spec.model_validate(raw)
    config = ModelConfig.model_validate(spec.config["model"])
    set_threads(spec)
    source = locate_model(config.source, config.revision, setting=f"models.{spec.stage}.source")
    tokenizer = load_tokenizer(source)
    model = load_model(source, dtype=config.dtype, tokenizer=tokenizer)
    parameters = sum(p.numel() for p in model.parameters())
    if config.shape is not None and count_parameters(config.shape) != parameters:
        raise ModelError(
            f"{config.source} has {parameters:,} parameters, its shape in the recipe says {count_parameters(config.shape):,}; "
            "correct the shape, or the source"
        )
    check_ids(model, tokenizer, config.source)
    check_sampling(model, tokenizer)
    save_model(model, tokenizer, Policy(spec.out).model)
    metrics = {"parameters": float(parameters)}
    if (positions := known_positions(model.config)) is not None:
        metrics["positions"] = float(positions)
    if unserved(model.config):
        metrics[UNSERVED] = 1.0
    if source.suffix == SUFFIX:
        header = read_header(source)
        (spec.out / "card.md").write_text(DEQUANTISED.format(header=header), encoding="utf-8")
        metrics["bits_per_weight"] = 8 * header.bytes / header.numbers
    return metrics
