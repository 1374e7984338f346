"""The recipe's engine over a model."""

from collections.abc import Callable

from transformers import PreTrainedModel

from r1flow.components.core.errors import ConfigError
from r1flow.components.recipe.engine import EngineConfig
from r1flow.components.training.engines.base import Engine
from r1flow.components.training.engines.single import SingleEngine


def open_engine(
    config: EngineConfig,
    model: PreTrainedModel,
    rate: Callable[[int], float],
    *,
    max_grad_norm: float,
    betas: tuple[float, float] = (0.9, 0.95),
) -> Engine:
    """``single`` or ``deepspeed``; raises :class:`ConfigError` where DeepSpeed is not installed."""
    if config.kind == "single":
        offload = config.offload == "optimizer"
        return SingleEngine(model, rate, max_grad_norm=max_grad_norm, betas=betas, offload=offload)
    from r1flow.components.training.engines.deepspeed import DeepSpeedEngine, Zero

    zero = Zero(
        stage=config.zero_stage,
        dtype=config.dtype,
        offload=config.offload,
        gradient_checkpointing=config.gradient_checkpointing,
        timeout_s=config.timeout_s,
        settings=config.settings,
    )
    try:
        return DeepSpeedEngine(model, rate, zero, max_grad_norm=max_grad_norm, betas=betas)
    except ModuleNotFoundError as error:
        if error.name != "deepspeed":
            raise
        raise ConfigError("run.engine.kind: DeepSpeed is not installed; `make cpu`, or kind = 'single'") from error
