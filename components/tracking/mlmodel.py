"""A model directory as MLflow loads it: a file ``MLmodel``, and the tokenizer in the folder where MLflow looks for it.

The weights stay where transformers has them. Nothing that is written depends on when, where or by which version of MLflow: the
same weights give the same bytes. MLflow's own writer (mlflow.models.Model.save) puts in a time and ids; its reader needs neither.
"""

import json
import shutil
from pathlib import Path
from typing import Any

MLMODEL = "MLmodel"
TOKENIZER = "components/tokenizer"
TOKENIZER_FILES = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.jinja",
)


def make_loadable(directory: Path) -> None:
    """Let ``mlflow.transformers.load_model(directory)``, and ``mlflow.pyfunc``'s, find a text generation pipeline.

    A directory without ``config.json``, or of another architecture than a causal language model, is left as it is.
    """
    if not (directory / "config.json").is_file():
        return
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    architecture = (config.get("architectures") or [""])[0]
    if not architecture.endswith("ForCausalLM"):
        return
    folder = directory / TOKENIZER
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted({path for pattern in TOKENIZER_FILES for path in directory.glob(pattern) if path.is_file()}):
        shutil.copyfile(path, folder / path.name)
    # JSON is YAML, in which MLflow reads it
    (directory / MLMODEL).write_text(json.dumps({"flavors": _flavors(architecture, config)}, indent=2) + "\n")


def _flavors(architecture: str, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    dtype = config.get("dtype") or config.get("torch_dtype")
    return {
        "transformers": {
            "task": "text-generation",
            "instance_type": "TextGenerationPipeline",
            "pipeline_model_type": architecture,
            "model_binary": ".",
            "components": ["tokenizer"],
            "tokenizer_type": "AutoTokenizer",
            **({"torch_dtype": f"torch.{dtype}"} if dtype else {}),
        },
        "python_function": {"loader_module": "mlflow.transformers"},
    }
