"""GRPO steps of TRL's GRPOTrainer and of r1flow in turn, on a model of SmolLM2-135M's shape, and each one's peak memory.

    python benchmarks/smol_vs_trl.py [short long] [--repeat 5] [--threads 2] [--no-memory]

8 x 8 completions of 64 tokens: behind prompts of 16 tokens, and behind prompts of 256, which r1flow computes once for the 8
completions of a group. Everything else, the floor too, is as in ``benchmarks/grpo_vs_trl.py``. Weights are random, so that
nothing has to be fetched: what is computed depends on the shape alone, because the end token lies outside the vocabulary.
TRL takes as many backward passes for a step as keep it in 16 GiB; one pass is its fastest where that fits.
"""

import torch
from grpo_vs_trl import PAD, Setting, main
from transformers import LlamaConfig, LlamaForCausalLM


class SmolLM2(Setting):
    """The shape of SmolLM2-135M: three heads of queries to one of keys and values, tied embeddings."""

    def model(self) -> LlamaForCausalLM:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.hidden * 8 // 3,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads // 3,
            head_dim=self.head_size,
            max_position_embeddings=8192,
            rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
            tie_word_embeddings=True,
            initializer_range=0.04,
            eos_token_id=self.vocabulary,
            pad_token_id=PAD,
            dtype="float32",
        )
        return LlamaForCausalLM(config).eval()


def shaped(prompt: int, *, micro_tokens: int, parts: int) -> SmolLM2:
    return SmolLM2(
        vocabulary=49152,
        hidden=576,
        layers=30,
        heads=9,
        head_size=64,
        prompts=8,
        samples=8,
        prompt=prompt,
        completion=64,
        micro_tokens=micro_tokens,
        parts=parts,
    )


SETTINGS = {"short": shaped(16, micro_tokens=2560, parts=1), "long": shaped(256, micro_tokens=10240, parts=4)}

if __name__ == "__main__":
    main(SETTINGS, __doc__)
