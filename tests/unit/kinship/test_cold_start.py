"""A cold child imports what it needs: neither torchvision nor numba, and nothing of PyTorch's compiler."""

import subprocess
import sys

from kinlib.runtime import config

SLOW = ("torchvision", "numba", "torch._dynamo", "torch._inductor", "sympy", "facenet_pytorch", "pandas", "matplotlib")


def test_a_child_imports_nothing_slow(tmp_path):
    code = f"""
import sys
from kinlib.cli import main
from kinlib.studio.datasets import sample_parents
father, mother = map(str, sample_parents.couple(1))
assert main(["child", "--father", father, "--mother", mother, "--out", {str(tmp_path / "child.png")!r}]) == 0
assert not set({SLOW!r}) & set(sys.modules), set({SLOW!r}) & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=config.project_root(), check=True, timeout=600)
