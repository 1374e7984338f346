"""What PPO keeps in memory beside GRPO, for models of four sizes: the table in ARCHITECTURE."""

import math

from r1flow.components.costs.decoder import DEEPSEEK_V3, Decoder, decoder_of
from r1flow.components.costs.memory import Layout, states
from r1flow.components.recipe.presets import load_recipe

MIXED = Layout(bytes=2)
CARD = 80e9
LONGEST = 32768
PRESETS = {"1.5B": "qwen2.5-1.5b-math", "7B": "r1-zero-7b", "32B": "r1-32b"}


def models() -> dict[str, Decoder]:
    """Qwen2.5 of three sizes, from the presets, and DeepSeek-V3."""
    found = {}
    for name, preset in PRESETS.items():
        base = load_recipe(preset).models["base"]
        assert base.shape is not None, preset
        found[name] = decoder_of(base.shape)
    return found | {"671B": DEEPSEEK_V3}


def table() -> str:
    """Markdown; GB are 10^9 bytes, all ranks together, and states are partitioned over them without a copy."""
    lines = [
        "| model | parameters N | policy, 18 N | reference, 2 N | GRPO | value model, 18 N' | PPO | PPO / GRPO "
        "| 80 GB cards: GRPO, PPO | cache of 32,768 tokens |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, model in models().items():
        policy, reference = states(model.parameters, MIXED).total, float(MIXED.bytes * model.parameters)
        value = states(model.value, MIXED).total
        grpo, ppo = policy + reference, policy + reference + value
        cache = MIXED.bytes * model.layers * model.cached * LONGEST
        cards = f"{math.ceil(grpo / CARD)}, {math.ceil(ppo / CARD)}"
        row = [
            name,
            f"{model.parameters / 1e9:.2f} G",
            *(f"{x / 1e9:,.0f} GB" for x in (policy, reference, grpo, value, ppo)),
        ]
        lines.append("| " + " | ".join([*row, f"{ppo / grpo:.2f}", cards, f"{cache / 1e9:.2f} GB"]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
