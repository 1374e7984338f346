"""Rewards that are not r1flow's own: found by ``module:function``, identified by their source."""

import hashlib
import importlib
import inspect
from collections.abc import Iterable

from r1flow.components.core.errors import ConfigError
from r1flow.components.rewards.base import Reward


def load_reward(name: str) -> Reward:
    """The function behind ``module:function``; ConfigError where there is none, or one that takes no single batch."""
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f'rewards."{name}": {module_name} cannot be imported ({error}); install it, or put its folder on PYTHONPATH'
        ) from error
    reward = getattr(module, function_name, None)
    if not callable(reward):
        raise ConfigError(f'rewards."{name}": {module.__file__} has no function {function_name}')
    try:
        inspect.signature(reward).bind(None)
    except TypeError as error:
        raise ConfigError(
            f'rewards."{name}": {function_name} must take one argument, a RewardBatch ({error})'
        ) from error
    checked: Reward = reward
    return checked


def reward_digests(names: Iterable[str]) -> dict[str, str]:
    """sha256 of the source file of every reward: part of a stage's fingerprint, so that a changed reward trains anew."""
    digests = {}
    for name in names:
        source = inspect.getsourcefile(inspect.unwrap(load_reward(name)))
        if source is None:
            raise ConfigError(f'rewards."{name}": its source cannot be found, so runs with it could not be told apart')
        with open(source, "rb") as stream:
            digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests
