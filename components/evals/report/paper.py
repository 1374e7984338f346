"""DeepSeek-R1's own figures (arXiv 2501.12948), for the shape that a run of the recipe should have."""

from dataclasses import dataclass

SOURCE = (
    "DeepSeek-AI, DeepSeek-R1: Incentivizing Reasoning Capability in LLMs via Reinforcement Learning, "
    "arXiv 2501.12948, version 2, table 3; the start of R1-Zero's training (AIME 15.6 %): version 1"
)
STUDENT_SOURCE = "arXiv 2501.12948, version 1, distillation against reinforcement learning on Qwen-32B"

SIZE = "671 billion parameters, of which 37 billion are active"
COST = "147 thousand H800 GPU hours, 294 thousand US dollars at 2 dollars an hour"
BENCHMARKS = (
    *("AIME 2024", "MATH-500", "CNMO 2024", "GPQA-D", "LCB", "MMLU", "MMLU-Pro", "IF-Eval"),
    *("AlpacaEval 2", "ArenaHard", "Aider", "SWE-Verified"),
)


@dataclass(frozen=True)
class PaperStage:
    """One row of the paper's table 3, in percent, in the order of ``BENCHMARKS``; None where the paper gives no figure.

    ``stage``: how recipes of the paper's chain call it.
    """

    stage: str
    title: str
    figures: tuple[float | None, ...]

    @property
    def aime(self) -> float:
        """pass@1 on AIME 2024, which every stage has."""
        first = self.figures[0]
        assert first is not None
        return first


STAGES = (
    PaperStage("base", "Base", (15.6, *[None] * 11)),
    PaperStage("r1_zero", "R1-Zero", (77.9, 95.9, 88.1, 75.8, 50.0, 88.8, 68.9, 46.6, 24.7, 53.6, 12.2, 43.2)),
    PaperStage("dev1", "Dev1 (cold start)", (59.0, 94.2, 58.0, 66.1, 57.5, 89.1, 74.1, 71.7, 50.1, 77.0, 6.7, 39.6)),
    PaperStage("dev2", "Dev2 (reasoning RL)", (74.0, 95.9, 73.9, 70.7, 63.5, 91.2, 83.8, 72.0, 55.8, 73.2, 25.6, 44.6)),
    PaperStage(
        "dev3", "Dev3 (SFT of the base)", (78.1, 95.4, 77.3, 71.2, 64.6, 91.0, 83.1, 78.1, 62.1, 75.6, 44.8, 45.6)
    ),
    PaperStage("r1", "R1", (79.8, 97.3, 78.8, 71.5, 65.9, 90.8, 84.0, 83.3, 87.6, 92.3, 53.3, 49.2)),
)
TRAINED = frozenset(row.stage for row in STAGES[1:])
STUDENT_DISTILLED_AIME = 72.6
STUDENT_RL_AIME = 47.0
