"""What a stage's program may see of this process's environment.

It runs models, verifiers and rewards of one's own, so it gets what it needs to compute and to reach the object store and the
model hub; passwords of servers that the flow alone speaks to (Prefect, MLflow), and of whatever else a shell holds, stay here.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import r1flow

ALLOWED = (
    # the system
    *("PATH", "HOME", "USER", "LOGNAME", "HOSTNAME", "SHELL", "PWD", "TMPDIR", "TMP", "TEMP", "XDG_*"),
    *("LANG", "LANGUAGE", "LC_*", "TZ", "TERM", "COLUMNS", "NO_COLOR", "DO_NOT_TRACK"),
    # Python, libraries, compilers
    *("PYTHON*", "VIRTUAL_ENV", "CONDA_PREFIX", "COVERAGE_*", "LD_*", "DYLD_*", "LIBRARY_PATH", "CPATH", "MALLOC_*", "JE_*"),
    *("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MAX_JOBS"),
    # threads, devices, ranks
    *("OMP_*", "MKL_*", "OPENBLAS_*", "KMP_*", "GOMP_*", "CUDA*", "NVIDIA_*", "NCCL_*", "GLOO_*", "HIP_*", "ROC*", "UCX_*"),
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_*", "SLURM_*", "OMPI_*", "FI_*"),
    *("TORCH*", "PYTORCH_*", "TRITON_*", "VLLM_*", "DS_*", "DEEPSPEED_*", "ARROW_*"),
    # models, data, the store
    *("HF_*", "HUGGINGFACE_*", "HUGGING_FACE_*", "TRANSFORMERS_*", "TOKENIZERS_*", "AWS_*"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_*", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    "R1_*",
)  # fmt: skip
WITHHELD = ("R1_MLFLOW_URI", "R1_PREFECT_API_URL")
"""Settings that may carry a password and mean nothing to a program."""
MORE = "R1_CHILD_ENV"
"""Names this variable: further patterns, with commas between them, for programs that need more."""


def python_environment() -> dict[str, str]:
    """The environment of a program, with the directory that holds ``r1flow`` first on PYTHONPATH."""
    root = str(Path(r1flow.__file__).resolve().parents[1])
    rest = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", root)]
    return {**allowed(os.environ), "PYTHONPATH": os.pathsep.join([root, *rest])}


def allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """What of ``environment`` a program gets.

    >>> allowed({"HF_TOKEN": "a", "MLFLOW_TRACKING_PASSWORD": "b", "MY_KEY": "c", "R1_CHILD_ENV": "MY_*"})
    {'HF_TOKEN': 'a', 'MY_KEY': 'c', 'R1_CHILD_ENV': 'MY_*'}
    """
    more = [pattern.strip().upper() for pattern in environment.get(MORE, "").split(",") if pattern.strip()]
    patterns = (*ALLOWED, *more)
    chosen = [
        name
        for name in environment
        if name not in WITHHELD and any(fnmatchcase(name.upper(), pattern) for pattern in patterns)
    ]
    # Asked for one by one: another thread (MLflow's telemetry) may take a variable out between its name and its value.
    return {name: value for name in chosen if (value := environment.get(name)) is not None}
