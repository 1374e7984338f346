"""Small tokenizers of the kinds that models bring: byte-level BPE with a chat format, and pieces that begin with a blank."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEXTS = [
    "What is 37+45? <think>37+45 is 30+40+7+5, which is 82.</think><answer>82</answer>",
    "Assistant: the user asks what 12*12 is. User: it is 144.=<think>",
    "\u00e9t\u00e9, \u4f60\u597d: na\u00efve caf\u00e9s don't say ... \n\n the end of it =<think>",
]


def byte_level(chat_template=CHATML, *, eos="<|im_end|>", merges=150):
    """BPE over bytes, as Qwen, Llama 3 and GPT-2 have it."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + merges, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(TEXTS * 3, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=core, eos_token=eos, pad_token="<|endoftext|>")
    fast.chat_template = chat_template
    return fast


def begins(tokenizer, token="<|endoftext|>"):
    """``tokenizer`` with a token that it puts before every text, as Llama 3 and Gemma do."""
    start = tokenizer.convert_tokens_to_ids(token)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{token} $A", special_tokens=[(token, start)]
    )
    tokenizer.bos_token = token
    return tokenizer


def swallowing(tokenizer, token="<|im_end|>"):
    """``tokenizer`` with a control token that takes the blanks behind it, as Phi 3 has them."""
    tokenizer.backend_tokenizer.add_special_tokens([AddedToken(token, special=True, rstrip=True, normalized=False)])
    return tokenizer


def blank_first(scheme="always"):
    """Pieces over words that begin with a blank, put there where a text has none, as SentencePiece does by default."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    core.decoder = decoders.Metaspace(prepend_scheme=scheme)
    core.train_from_iterator(
        TEXTS * 3, trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", "</s>"], show_progress=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>", pad_token="</s>", unk_token="<unk>")
