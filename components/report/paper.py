"""DeepSeek-R1's own figures (arXiv 2501.12948), for the shape that a run of the recipe should have."""

from dataclasses import dataclass

SOURCE = (
    "DeepSeek-AI, DeepSeek-R1: Incentivizing Reasoning Capability in LLMs via Reinforcement Learning, "
    "arXiv 2501.12948, version 2, table 3; the start of R1-Zero's training (AIME 15.6 %): version 1"
)
STUDENT_SOURCE = "arXiv 2501.12948, version 1, distillation against reinforcement learning on Qwen-32B"

SIZE = "671 billion parameters, of which 37 billion are active"
COST = "147 thousand H800 GPU hours, 294 thousand US dollars at 2 dollars an hour"
BENCHMARKS = ("AIME 2024 pass@1", "MATH-500 pass@1", "MMLU", "IF-Eval")


@dataclass(frozen=True)
class PaperStage:
    """One row of the paper's table 3, in percent; None where the paper gives no figure."""

    stage: str
    aime: float
    math: float | None = None
    mmlu: float | None = None
    if_eval: float | None = None

    @property
    def figures(self) -> tuple[float | None, ...]:
        """In the order of ``BENCHMARKS``."""
        return (self.aime, self.math, self.mmlu, self.if_eval)


STAGES = (
    PaperStage("base", 15.6),
    PaperStage("r1_zero", 77.9, 95.9, 88.8, 46.6),
    PaperStage("dev1", 59.0, 94.2, 89.1, 71.7),
    PaperStage("dev2", 74.0, 95.9, 91.2, 72.0),
    PaperStage("dev3", 78.1, 95.4, 91.0, 78.1),
    PaperStage("r1", 79.8, 97.3, 90.8, 83.3),
)
STUDENT_DISTILLED_AIME = 72.6
STUDENT_RL_AIME = 47.0
