"""TRL's GRPOTrainer as it is fastest on a CPU, for the benchmarks that run it beside r1flow in one process."""

import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

BETAS = (0.9, 0.95)
Spent = tuple[float, float]  # seconds, CPU seconds


def clocks() -> Spent:
    """Now, on the wall and in this process."""
    return time.perf_counter(), time.process_time()


def since(started: Spent) -> Spent:
    """What has been spent since ``started``."""
    wall, cpu = clocks()
    return wall - started[0], cpu - started[1]


def run_trl(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    reward: Callable[..., list[float]],
    *,
    prompts: int,
    samples: int,
    max_tokens: int,
    rate: float,
    steps: int,
    after: Callable[[int, Spent], None],
    warmup_steps: int = 0,
    parts: int = 1,
) -> None:
    """``steps`` steps of ``prompts`` x ``samples`` completions; ``after`` is told each one's number and cost.

    ``reward`` takes the completions' token ids, and the prompts as ``prompts``. fp32, GRPO's loss without a reference model,
    one optimizer step per batch in ``parts`` passes, generation by transformers with a dynamic cache, fused AdamW.
    """
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class Watch(TrainerCallback):  # type: ignore[misc]
        started: Spent = (0.0, 0.0)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.started = clocks()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            after(state.global_step, since(self.started))

    with tempfile.TemporaryDirectory() as directory:
        config = GRPOConfig(
            output_dir=directory,
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=prompts * samples // parts,
            gradient_accumulation_steps=parts,
            num_generations=samples,
            steps_per_generation=parts,
            max_completion_length=max_tokens,
            beta=0.0,
            loss_type="grpo",
            temperature=1.0,
            top_p=1.0,
            learning_rate=rate,
            lr_scheduler_type="constant_with_warmup",
            warmup_steps=warmup_steps,
            optim="adamw_torch_fused",
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            max_grad_norm=1.0,
            gradient_checkpointing=False,
            max_steps=steps,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
        )
        GRPOTrainer(
            model=model,
            reward_funcs=lambda completion_ids, **rest: reward(completion_ids, rest["prompts"]),
            args=config,
            train_dataset=Dataset.from_dict({"prompt": list(texts)}),
            processing_class=tokenizer,
            callbacks=[Watch()],
        ).train()
