"""Published PRMs that this pipeline scores with, a module each form; another one is a module with a ``FORM``."""

from prm_scaling.prm.published import math_shepherd, qwen, skywork
from prm_scaling.prm.published.form import Form

FORMS: dict[str, Form] = {"qwen": qwen.FORM, "math_shepherd": math_shepherd.FORM, "skywork": skywork.FORM}
