"""PPO's critic as an RL program needs it: a value model from the policy's own weights, under an engine of its own."""

from collections.abc import Callable

from r1flow.components.core.models import load_model
from r1flow.components.programs.language_model import LanguageModel
from r1flow.components.programs.spec import Spec
from r1flow.components.recipe.grpo import GrpoConfig
from r1flow.components.recipe.ppo import PpoConfig
from r1flow.components.training.engines.open import open_engine
from r1flow.components.training.rl.critic import Critic, Ppo
from r1flow.components.training.rl.value_model import ValueModel


def open_critic(spec: Spec, config: GrpoConfig, lm: LanguageModel, rate: Callable[[int], float]) -> Critic:
    """A critic that starts from the policy's directory; its learning rate follows the policy's ``rate``."""
    ppo = config.ppo or PpoConfig()
    dtype, device = str(lm.model.dtype).removeprefix("torch."), str(lm.model.device)
    engine = open_engine(
        spec.run.engine,
        ValueModel(load_model(lm.directory, dtype=dtype, device=device, tokenizer=lm.tokenizer)),
        lambda step: ppo.value_rate * rate(step),
        max_grad_norm=config.max_grad_norm,
    )
    settings = Ppo(ppo.gamma, ppo.lam, ppo.whiten, ppo.value_clip, kl_weight=config.kl_weight)
    return Critic(engine, settings, pad_id=lm.pad_id, micro_tokens=config.micro_tokens)
