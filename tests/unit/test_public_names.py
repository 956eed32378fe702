"""The public surface."""

import subprocess
import sys

import pytest

import unfreeze


def test_the_list_is_sorted_and_whole() -> None:
    """What can be imported lazily is what is listed, about twenty-five names."""
    assert set(unfreeze.__all__) == {*unfreeze._MODULES, "__version__"}
    assert len(unfreeze.__all__) <= 26
    assert set(unfreeze.__all__) <= set(dir(unfreeze))


@pytest.mark.parametrize("name", [name for name in unfreeze.__all__ if name != "__version__"])
def test_every_public_name_can_be_imported(name: str) -> None:
    """Each name is there, under its own name."""
    assert getattr(unfreeze, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Other names are missing, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'Classifier'"):
        unfreeze.Classifier  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    """After `import unfreeze` and after all modules of the command line, neither torch nor NumPy nor rich is there."""
    heavy = ("torch", "numpy", "rich", "timm", "sklearn", "PIL", "pandas", "jinja2")
    code = f"import sys, unfreeze, unfreeze.cli.main; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
