"""PPO's critic as an RL program needs it: a value model from the policy's own weights, under an engine of its own."""

from collections.abc import Callable

from components.config.grpo import GrpoConfig
from components.config.ppo import PpoConfig
from components.engines.open import open_engine
from components.models import load_model
from components.programs.language_model import LanguageModel
from components.programs.spec import Spec
from components.rl.critic import Critic, Ppo
from components.rl.value_model import ValueModel


def open_critic(spec: Spec, config: GrpoConfig, lm: LanguageModel, rate: Callable[[int], float]) -> Critic:
    """A critic that starts from the policy's directory; its learning rate follows the policy's ``rate``."""
    ppo = config.ppo or PpoConfig()
    dtype, device = str(lm.model.dtype).removeprefix("torch."), str(lm.model.device)
    engine = open_engine(
        spec.run.engine,
        ValueModel(load_model(lm.directory, dtype=dtype, device=device)),
        lambda step: ppo.value_rate * rate(step),
        max_grad_norm=config.max_grad_norm,
    )
    settings = Ppo(ppo.gamma, ppo.lam, ppo.whiten, ppo.value_clip, kl_weight=config.kl_weight)
    return Critic(engine, settings, pad_id=lm.pad_id, max_tokens=config.micro_tokens)
