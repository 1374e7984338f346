"""Who follows one GRPO step reads few files, and ARCHITECTURE.md lists them."""

import re
import sys
import threading
from pathlib import Path

from r1flow.components.core.logits import form_of
from r1flow.components.core.schema import Row
from r1flow.components.rewards.language import AlphabetLanguage
from r1flow.components.rewards.score import Rules, Scorer
from r1flow.components.sampling.base import Sampling
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines.single import SingleEngine
from r1flow.components.training.rl.trainer import GrpoTrainer, Objective
from tests.docs import ROOT, page
from tests.fakes.tiny import EOS, PAD, tiny_model

MOST = 15
BEHIND = ("rewards/", "sampling/", "training/engines/")
"""What lies behind the protocols Reward, Sampler and Engine; a step can be followed without it."""
BEFORE = "sampling/collect.py"  # calls Sampler and Reward
ROWS = [Row(id=f"r{i}", prompt=str(i), answer="0", verifier="exact", skill="sum", source="test") for i in range(6)]


def make_trainer():
    """The engine `single`, the sampler `transformers`, rewards by rule; everything else as it comes."""
    model = tiny_model()
    form_of(model)  # measured once, where a model is loaded
    return GrpoTrainer(
        SingleEngine(model, lambda step: 1e-2),
        model,
        TransformersSampler(model, eos_id=EOS, pad_id=PAD),
        reference=None,
        pools={"sum": ROWS},
        encode=lambda row: (int(row.prompt) + 2, 10),
        decode=lambda ids: " ".join(map(str, ids)),
        score=Scorer(Rules({"accuracy": 1.0, "format": 1.0}, "think", AlphabetLanguage("0123456789", "abc"))),
        objective=Objective(Sampling(max_tokens=6), prompts_per_step=3, samples_per_prompt=4, mixture={"sum": 1.0}),
        pad_id=PAD,
        seed=0,
    )


def files_run(function):
    """The files of components, by their paths in it, of which ``function`` runs any code, in whatever thread."""
    names = set()

    def look(frame, event, argument):
        names.add(frame.f_code.co_filename)

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    components = ROOT / "components"
    paths = [Path(name).resolve() for name in names if not name.startswith("<")]
    return {path.relative_to(components).as_posix() for path in paths if path.is_relative_to(components)}


def test_one_step_runs_few_files_and_the_architecture_lists_exactly_them():
    trainer = make_trainer()
    ran = files_run(lambda: trainer.step(1))
    assert all(any(name.startswith(room) for name in ran - {BEFORE}) for room in BEHIND)  # the step was a whole one
    followed = {name for name in ran if name == BEFORE or not name.startswith(BEHIND)}
    assert len(followed) <= MOST, sorted(followed)
    section = page("ARCHITECTURE.md").partition("\n## GRPO\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([\w/]+\.py)` \|", section, re.MULTILINE)) == sorted(followed)
