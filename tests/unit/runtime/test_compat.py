"""Libraries that have fallen behind can be imported after all, and importing kinlib.runtime.compat changes nothing."""

import subprocess
import sys

import pytest

OLD = "torchvision.transforms.functional_tensor"


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_import_has_no_effect():
    assert run("import sys, kinlib.runtime.compat; assert 'torchvision' not in sys.modules").returncode == 0


def test_old_name_is_importable_afterwards():
    code = "from kinlib.runtime.compat import patch_torchvision as patch; patch(); patch(); "
    code += f"from {OLD} import rgb_to_grayscale"
    assert run(code).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="basicsr does not build on Python 3.13 and newer")
def test_everything_imports_in_one_process():
    """facenet-pytorch, Real-ESRGAN, DeepFace and dlib live together, and one package provides cv2."""
    import check_setup

    found = subprocess.run([sys.executable, check_setup.__file__], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    assert "kinlib is ready" in found.stdout
