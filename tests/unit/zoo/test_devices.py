"""Where networks run."""

import re
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import torch

import unfreeze
from unfreeze.core.errors import InputError
from unfreeze.zoo import devices
from unfreeze.zoo.devices import CPU, Device, check_processes, find_device


def machine(monkeypatch: pytest.MonkeyPatch, *devices: str) -> None:
    """Let PyTorch say that these are there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in devices)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in devices)


@pytest.mark.parametrize(
    ("there", "taken"), [((), "cpu"), (("mps",), "cpu"), (("cuda",), "cuda"), (("cuda", "mps"), "cuda")]
)
def test_a_gpu_of_nvidias_is_taken_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], taken: str
) -> None:
    """Nobody has to say so; a Mac's GPU has to be asked for, since it was never tried."""
    machine(monkeypatch, *there)

    assert find_device("auto") == find_device() == Device(taken)


@pytest.mark.parametrize("name", ["cpu", "cuda", "mps"])
def test_what_is_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """However fast another one would be."""
    machine(monkeypatch, "cuda", "mps")

    assert find_device(name).torch == torch.device(name)
    assert find_device(name).is_cpu == (name == "cpu")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says what was wanted, what was found and what to do."""
    machine(monkeypatch, "mps")

    with pytest.raises(InputError) as caught:
        find_device("cuda")
    assert str(caught.value) == (
        "There is no device cuda here: PyTorch finds mps and cpu. Choose another --device or leave it out, or install "
        "a PyTorch that is built for yours."
    )


def test_bfloat16_is_asked_of_the_device_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU can do says nothing of the CPU beside it."""
    machine(monkeypatch, "cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)

    assert [Device(name).computes_bfloat16 for name in ("cuda", "cpu", "mps")] == [True, False, False]
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    assert CPU.computes_bfloat16


def test_what_is_drawn_on_the_cpu_follows_the_seed_and_leaves_no_trace() -> None:
    """The numbers are those of PyTorch's own seeding, and whoever draws next goes on where they were."""
    before = torch.get_rng_state()
    with CPU.drawing_from(2**40 + 3):
        found = torch.rand(4)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found, torch.rand(4, generator=torch.Generator().manual_seed(2**40 + 3)))


def test_one_module_asks_what_there_is() -> None:
    """All others are given a device."""
    package = Path(unfreeze.__file__).parent
    asking = re.compile(r'torch\.cuda|backends\.mps|torch\.device\((?!"meta")|torch\.accelerator')

    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if asking.search(path.read_text())}

    assert found == {str(Path("zoo", "devices.py"))}


VERSION = """\
__version__ = '2.11.0'
debug = False
cuda: Optional[str] = {}
git_version = '70d99e9'
hip: Optional[str] = {}
"""


@pytest.mark.parametrize(
    ("text", "built"),
    [
        (VERSION.format("None", "None"), False),
        (VERSION.format("'12.8'", "None"), True),
        (VERSION.format("None", "'6.4'"), True),
        ('__version__ = "3.0"\n', True),
        (None, True),
    ],
    ids=["cpu", "cuda", "rocm", "says nothing", "no file"],
)
def test_a_pytorch_for_the_cpu_is_told_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, built: bool
) -> None:
    """Where they do not say so, PyTorch has to be imported and asked."""
    if text is not None:
        (tmp_path / "version.py").write_text(text)
    spec = ModuleSpec("torch", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: spec)

    assert devices._is_built_for_gpus() is built


def test_what_the_installed_files_say_is_what_pytorch_says() -> None:
    """Of the PyTorch that is installed here."""
    assert devices._is_built_for_gpus() == (torch.version.cuda is not None or torch.version.hip is not None)


def test_each_process_has_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """More processes than GPUs are refused with both numbers; on the CPU there may be any number."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_processes(2, Device("cuda"))
    check_processes(64, CPU)
    for device, there in ((Device("cuda"), 2), (Device("mps"), 1)):
        said = rf"Each of 3 processes needs a GPU of its own, and PyTorch finds {there} here\. Choose --devices {there}"
        with pytest.raises(InputError, match=said):
            check_processes(3, device)
