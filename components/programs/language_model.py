"""What every program that touches a model does first: threads, device, model, tokenizer, prompt rendering, scoring."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from r1flow.components.core.allocator import keep_memory
from r1flow.components.core.artifacts import Policy
from r1flow.components.core.cuda import resolve_device
from r1flow.components.core.ends import Ends
from r1flow.components.core.errors import ConfigError
from r1flow.components.core.models import load_model, load_tokenizer
from r1flow.components.core.positions import known_positions
from r1flow.components.core.schema import Row
from r1flow.components.data.chat import closes_thought, opens_thought
from r1flow.components.data.encode import about_row, encode_prompt
from r1flow.components.data.ends import find_ends
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.models import LanguageConfig, PromptConfig
from r1flow.components.rewards.base import Shaping
from r1flow.components.rewards.custom import load_reward
from r1flow.components.rewards.language import AlphabetLanguage, LanguageSpec, NaturalLanguage
from r1flow.components.rewards.pool.judge import PoolJudge
from r1flow.components.rewards.pool.pool import ScoringPool
from r1flow.components.rewards.reflection import PAPER_WORDS
from r1flow.components.rewards.score import Rules, Scorer
from r1flow.components.sampling.base import Sampler
from r1flow.components.sampling.remote import RemoteSampler
from r1flow.components.sampling.server import SamplerSpec
from r1flow.components.sampling.transformers import TransformersSampler
from r1flow.components.training.engines import ranks


@dataclass(frozen=True)
class LanguageModel:
    """A loaded model with its tokenizer and the recipe's prompt."""

    directory: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    prompt: str | PromptConfig
    """How it is asked; a template's name alone means it with the defaults of everything else."""

    @cached_property
    def ends(self) -> Ends:
        """Where its completions end."""
        return find_ends(self.tokenizer, self.directory, self.prompt)

    @property
    def pad_id(self) -> int:
        return int(self.tokenizer.pad_token_id)

    @property
    def positions(self) -> int | None:
        """The most tokens of a prompt and its completion together; None where no bound is known."""
        return known_positions(self.model.config)

    def encode_prompt(self, row: Row) -> tuple[int, ...]:
        """The token ids of a row's prompt, rendered by the template. DataError, naming the row, where that cannot be."""
        with about_row(row.id):
            return encode_prompt(self.tokenizer, self.prompt, row.messages or row.prompt)

    def decode(self, ids: Sequence[int]) -> str:
        """A completion's text without its end token; tags such as ``</think>`` stay."""
        return str(self.tokenizer.decode(self.ends.cut(ids), skip_special_tokens=False))

    @contextmanager
    def sampler(self, spec: Spec, grpo: GrpoConfig | None = None) -> Iterator[Sampler]:
        """The recipe's sampler: this very model, or one on the same directory in a process of its own: vLLM, and either
        where ``grpo`` has it work while the trainer does."""
        if spec.run.sampler != "vllm" and not (grpo and grpo.staleness):
            model = self.model
            if spec.run.engine.kind == "deepspeed" and spec.run.engine.zero_stage == 3:
                # The policy's own weights are empty between its passes: a copy serves.
                dtype, device = str(model.dtype).removeprefix("torch."), str(model.device)
                model = load_model(self.directory, dtype=dtype, device=device, tokenizer=self.tokenizer)
            yield TransformersSampler(model, eos_id=self.ends.ids, pad_id=self.pad_id)
            return
        served = SamplerSpec(
            kind="vllm" if spec.run.sampler == "vllm" else "transformers",
            model=self.directory,
            eos_id=self.ends.ids,
            pad_id=self.pad_id,
            device=resolve_device(spec.run.device),
            dtype="bfloat16" if self.model.dtype == torch.bfloat16 else "float32",
            threads=spec.run.threads,
        )
        with RemoteSampler(served, spec.work / f"sampler-{ranks.rank()}") as sampler:
            yield sampler


def open_model(spec: Spec, artifact: Path, *, device: str | None = None, dtype: str = "float32") -> LanguageModel:
    """Load the model inside ``artifact`` on the spec's device; also fixes torch's number of threads.

    In ``dtype`` whatever it was saved in.
    """
    set_threads(spec)
    directory = Policy(artifact).model
    device, tokenizer = device or resolve_device(spec.run.device), load_tokenizer(directory)
    model = load_model(directory, dtype=dtype, device=device, tokenizer=tokenizer)
    return LanguageModel(directory, model, tokenizer, spec.prompt)


def set_threads(spec: Spec) -> None:
    """Fix torch's number of threads, which decides the order of additions; and memory once taken is kept."""
    torch.set_num_threads(spec.run.threads)
    keep_memory()


@contextmanager
def scoring(
    spec: Spec, lm: LanguageModel | None, weights: Mapping[str, float], grpo: GrpoConfig | None = None
) -> Iterator[Scorer]:
    """The recipe's reward, with its pool of workers for verdicts that take time. They start with the first such verdict.

    Without ``lm`` completions are scored as they stand: no prompt has begun their thought.
    """
    rules = Rules(
        weights=weights,
        format_style=spec.prompt.format,
        language=language_spec(spec.language),
        reflection_words=spec.language.reflection_words or PAPER_WORDS,
        prefilled=lm is not None and opens_thought(lm.prompt, lm.tokenizer),
        gates=grpo.reward_gates if grpo else {},
        custom={name: load_reward(name) for name in (grpo.rewards.custom if grpo else ())},
        max_tokens=grpo.max_tokens if grpo else 1,
        shaping=Shaping(**grpo.shaping.model_dump()) if grpo else Shaping(),
    )
    if lm is not None and weights.get("format") and closes_thought(lm.prompt, lm.tokenizer):
        raise ConfigError(
            f"{spec.stage}: the prompt itself writes an empty thought, so no completion has the format and its reward is 0 for "
            "ever; take what closes it out of prompt.variables, or set rewards.format = 0"
        )
    with ScoringPool(spec.scorers) as pool:
        yield Scorer(rules, PoolJudge(pool))


def language_spec(config: LanguageConfig) -> LanguageSpec:
    """The recipe's language: two alphabets where `other` is given, else a natural language by its code."""
    if config.other is not None:
        return AlphabetLanguage(config.target, config.other, ignored=config.reflection_words or PAPER_WORDS)
    return NaturalLanguage(config.target)
