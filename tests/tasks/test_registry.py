import subprocess
import sys

import numpy as np
import pytest

from escapedim.errors import BadInput
from escapedim.tasks.registry import load_task


def test_a_task_is_found_by_its_name():
    assert load_task("digits").name == "digits"


def test_a_path_may_contain_the_signs_of_the_grammar(tmp_path):
    path = tmp_path / "a=b,c:d.npz"
    x, y = np.eye(12), np.arange(12) % 2
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    assert load_task(f"npz:{path}").outputs == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit", "'digit': expected the name of a task, found 'digit'; did you mean 'digits'?"),
        ("mnist:x", "found 'mnist'; MNIST is read from its files: write idx:DIR"),
        ("digits:k=3", "'digits:k=3': expected no parameters, found k=3; write 'digits' alone."),
        ("digits:", "found '' without a key"),
        ("", "found no name at the start"),
        ("idx", "idx: expected a folder, found none; write idx:DIR."),
        ("idx:nowhere", "nowhere: expected a folder of IDX files, found no such folder"),
        ("npz:", "npz: expected a file, found none; write npz:FILE."),
        ("npz:nowhere", "nowhere: expected a file made by numpy.savez, found no such file"),
    ],
)
def test_what_is_no_task_is_one_sentence(text, message):
    with pytest.raises(BadInput) as raised:
        load_task(text)
    assert message in str(raised.value)


def test_loading_a_task_imports_no_torch():
    code = (
        "import sys; from escapedim.tasks.registry import load_task; load_task('digits');print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
