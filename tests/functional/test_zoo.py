"""Models that go through zoos: published, listed, pulled, and used by their names without a connection."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

import caffe_nets
from example_run import run_record
from unfreeze.core.errors import InputError, OutputError, UnknownBackboneError, WeightsError
from unfreeze.core.run_record import RUN_FILE
from unfreeze.core.zoo_entries import EntryFile, index_of
from unfreeze.workflows.zoo_lists import list_zoo, show_entry, verify_zoo
from unfreeze.workflows.zoo_transfers import PublishSettings, publish, pull
from unfreeze.zoo.backbones import Backbone, load_backbone
from unfreeze.zoo.folders import load_model, save_model
from zoo_servers import TOKEN, ask, served_folder, standing_in_for_the_hub

pytestmark = pytest.mark.slow

README = "---\nlicense: mit\n---\n\n# Leaves\n"


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zoo of this test's user."""
    monkeypatch.setenv("UNFREEZE_ZOO", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A delivered model of two classes, whose weights are not those of any download."""
    saved = tmp_path / "run" / "model"
    save_model(saved, trained(), class_names=("oak", "maple"), card_text=README)
    return saved


def trained() -> Backbone:
    """A tiny network of timm's with two classes."""
    backbone = load_backbone("test_resnet", size=64, pretrained=False).with_classes(2)
    with torch.no_grad():
        for number, parameter in enumerate(backbone.network.parameters()):
            parameter.add_(0.001 * number)
    return replace(backbone, card=replace(backbone.card, source="file of the test", licence="cc-by-nc-4.0"))


def test_a_second_round_by_name(model: Path, tmp_path: Path) -> None:
    """A model that was published and pulled over the web is a backbone by its name: weights, size, input, licence."""
    published = publish(PublishSettings(model=str(model), target=str(tmp_path / "zoo"), name="leaves")).card
    with served_folder(tmp_path / "zoo") as address:
        (row,) = list_zoo(zoo=address).entries
        assert show_entry("leaves", zoo=address).card == published
        assert pull("leaves", zoo=address).new is True
        assert pull("leaves", zoo=address).new is False

    assert (row.name, row.outputs, row.size, row.licence, row.may_sell) == ("leaves", 2, 64, "cc-by-nc-4.0", "no")
    assert (published.classes, published.source, published.holds) == (("oak", "maple"), "file of the test", "network")
    loaded, saved = load_backbone("leaves"), load_backbone(str(model))
    assert loaded.asked == "leaves"
    assert loaded.card.weights_sha256 == saved.card.weights_sha256
    assert (loaded.card.size, loaded.card.mean, loaded.card.licence) == (64, saved.card.mean, "cc-by-nc-4.0")
    assert load_backbone("zoo:leaves", size=96).card.size == 96


def test_what_is_kept_is_hashed_at_every_load(model: Path, own: Path, tmp_path: Path) -> None:
    """A kept entry of which any file was changed, removed or added is not loaded, and `verify` names it."""
    publish(PublishSettings(model=str(model), target=str(tmp_path / "zoo"), name="leaves"))
    pull("leaves", zoo=str(tmp_path / "zoo"))
    assert verify_zoo().damaged == ()

    readme, config = own / "leaves" / "README.md", own / "leaves" / "config.json"
    for file, damage in (
        (readme, lambda: readme.write_text("changed")),
        (readme, readme.unlink),
        (readme, lambda: (own / "leaves" / "more.json").write_text("{}")),
        (config, lambda: config.write_bytes(config.read_bytes().replace(b"oak", b"elm"))),
    ):
        before = file.read_bytes()
        damage()
        with pytest.raises(WeightsError, match=r"The entry leaves in .* cannot be used: .*Remove that folder and pull"):
            load_backbone("leaves")
        assert [one.name for one in verify_zoo().damaged] == ["leaves"]
        file.write_bytes(before)
    (own / "leaves" / "more.json").unlink()
    assert load_backbone("leaves").card.size == 64


def test_a_pickle_is_neither_published_nor_kept(model: Path, own: Path, tmp_path: Path) -> None:
    """A pickle in a model's folder is refused, whatever it is called, and so is one that a zoo's entry holds."""
    (model / "more.txt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(WeightsError, match=r"more\.txt holds a pickle, and a zoo holds only safetensors"):
        publish(PublishSettings(model=str(model), target=str(tmp_path / "zoo"), name="leaves"))
    (model / "more.txt").unlink()
    card = publish(PublishSettings(model=str(model), target=str(tmp_path / "zoo"), name="leaves")).card

    entry = tmp_path / "zoo" / "leaves"
    torch.save({"w": torch.ones(2)}, entry / "README.md")
    data = (entry / "README.md").read_bytes()
    file = EntryFile(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    forged = replace(card, files={**card.files, "README.md": file}).to_bytes()
    (entry / "card.json").write_bytes(forged)
    (tmp_path / "zoo" / "zoo.json").write_bytes(index_of({"leaves": forged}).to_bytes())
    with pytest.raises(WeightsError, match=r"The entry leaves is refused: README\.md holds a pickle"):
        pull("leaves", zoo=str(tmp_path / "zoo"))
    assert not (own / "leaves").exists()


def test_names_that_mean_something_else(model: Path, tmp_path: Path) -> None:
    """No entry takes the name of a network; one of which another is kept is refused; near names are proposed."""
    target = str(tmp_path / "zoo")
    with pytest.raises(InputError, match=r"resnet18 is the name of a network of timm's"):
        publish(PublishSettings(model=str(model), target=target, name="resnet18"))
    publish(PublishSettings(model=str(model), target=target, name="leaves"))
    pull("leaves", zoo=target)
    with pytest.raises(UnknownBackboneError, match=r"There is no entry 'leafs' in .*zoo\. Did you mean leaves\?"):
        pull("leafs", zoo=target)
    with pytest.raises(UnknownBackboneError, match=r"called 'leafs'.*Did you mean leaves\?"):
        load_backbone("leafs")
    with pytest.raises(UnknownBackboneError, match=r"pulled with --zoo PLACE"):
        pull("leafs")
    other = trained()
    save_model(tmp_path / "other", other, class_names=("oak", "elm"), card_text=README)
    publish(PublishSettings(model=str(tmp_path / "other"), target=str(tmp_path / "zoo2"), name="leaves"))
    with pytest.raises(OutputError, match=r"has an entry leaves of other content.*--name"):
        pull("leaves", zoo=str(tmp_path / "zoo2"))
    assert pull("leaves", zoo=str(tmp_path / "zoo2"), rename="leaves2").card.classes == ("oak", "elm")


def test_a_network_of_caffes_and_its_input(tmp_path: Path) -> None:
    """An imported network is published with its channels, mean and scale, and pulled by name."""
    pytest.importorskip("google.protobuf")
    from unfreeze.zoo.caffe.files import CaffeFiles
    from unfreeze.zoo.caffe.importing import imported
    from unfreeze.zoo.caffe.reading import network_in, weights_in
    from unfreeze.zoo.imported.folder import write_network

    net = caffe_nets.NETWORKS["squeezenet"]()
    blobs = {layer: tuple(found) for layer, found in weights_in(net.caffemodel()).items()}
    read = imported(CaffeFiles(network_in(net.prototxt().encode()), blobs), mean=(104.0, 117.0, 123.0))
    write_network(tmp_path / "thin", read, files={"net.caffemodel": "0"}, licence="bsd-2-clause")

    publish(PublishSettings(model=str(tmp_path / "thin"), target=str(tmp_path / "zoo")))
    card = pull("thin", zoo=str(tmp_path / "zoo")).card
    assert (card.channels, card.scale, card.mean, card.may_sell) == ("BGR", 1.0, (104.0, 117.0, 123.0), "yes")
    assert load_backbone("thin").card.weights_sha256 == load_backbone(str(tmp_path / "thin")).card.weights_sha256


def test_what_a_run_measured_goes_with_its_model(model: Path, tmp_path: Path) -> None:
    """The card has the accuracy, interval and protocol that run.json beside the model's folder holds."""
    record = replace(run_record(), model="model")
    (model.parent / RUN_FILE).write_text(json.dumps(record.to_json()))
    outcome = record.outcome_of(record.picked)
    assert outcome is not None

    card = publish(PublishSettings(model=str(model), target=str(tmp_path / "zoo"))).card
    assert card.name == "run"
    score = card.measured[-1]
    assert (score.accuracy, score.low, score.high) == (outcome.accuracy, outcome.interval.low, outcome.interval.high)
    assert f"{outcome.splits} split" in score.protocol


Zoo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def zoo(tmp_path: Path) -> Zoo:
    """Runs ``unfreeze zoo`` as a process of its own."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "unfreeze", "zoo", *arguments]
        environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1", **variables}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    return run


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document on standard output."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_hub_as_a_process_sees_it(zoo: Zoo, model: Path, own: Path) -> None:
    """A model is published to the Hub by who is signed in, and pulled from it, each in a process of its own."""
    with standing_in_for_the_hub() as hub:
        place = {"HF_ENDPOINT": hub.address}
        done = document(zoo("publish", str(model), "hf://me/zoo", "--json", **place, HF_TOKEN=TOKEN))
        assert (done["new"], done["card"]["name"]) == (True, "run")
        pulled = zoo("pull", "run", "--zoo", "hf://me/zoo", **place)
        assert "unfreeze run photos/ --backbone run" in pulled.stdout

    assert load_model(own / "run")[1] == ("oak", "maple")


def test_who_may_write_to_the_hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not signed in, or may not write there, is told so, and nothing is written; so is a spelling mistake."""
    with standing_in_for_the_hub() as hub:
        ask(hub, monkeypatch, tmp_path / "cache")
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        with pytest.raises(OutputError, match=r"not signed in to the Hugging Face Hub\. Run hf auth login first"):
            publish(PublishSettings(model=str(model), target="hf://me/zoo"))
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        with pytest.raises(OutputError, match="hf://me/zoo refuses it: the Hugging Face Hub does not let you"):
            publish(PublishSettings(model=str(model), target="hf://me/zoo"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        with pytest.raises(OutputError, match="hf://others/zoo refuses it"):
            publish(PublishSettings(model=str(model), target="hf://others/zoo"))
        with pytest.raises(InputError, match="There is no repository hf://me/none, or you may not see it"):
            list_zoo(zoo="hf://me/none")
        assert hub.commits == {}


def test_repositories_of_one_model(tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository that timm wrote, and a network that timm publishes, are pulled, and found without a connection."""
    with standing_in_for_the_hub() as hub:
        ask(hub, monkeypatch, tmp_path / "cache")
        hub.add("me/beetles", saved_by_timm(tmp_path / "timm"))
        hub.add("timm/test_resnet.r160_in1k", saved_by_timm(tmp_path / "published", classes=1000))
        hub.add("me/pickled", {"config.json": b"{}", "pytorch_model.bin": b"x"})
        with pytest.raises(UnknownBackboneError, match=r"unfreeze zoo pull hf-hub:me/beetles.*--backbone beetles"):
            load_backbone("hf-hub:me/beetles")
        assert pull("hf-hub:me/beetles").card.outputs == 3
        assert pull("test_resnet").name == "test_resnet.r160_in1k"
        with pytest.raises(
            WeightsError, match=r"hf-hub:me/pickled has no model\.safetensors, so nothing of it is kept"
        ):
            pull("https://huggingface.co/me/pickled")

    beetles = load_backbone("beetles")
    assert (beetles.card.size, beetles.card.mean) == (96, (0.1, 0.2, 0.3))
    for name in ("test_resnet", "timm/test_resnet.r160_in1k"):
        assert "timm's download (timm/test_resnet.r160_in1k)" in load_backbone(name).card.source
    assert verify_zoo().damaged == ()
    assert sorted(path.name for path in own.iterdir()) == ["beetles", "test_resnet.r160_in1k", "zoo.json"]


def saved_by_timm(folder: Path, classes: int = 3) -> dict[str, bytes]:
    """A repository of one model, as timm writes it."""
    network = timm.create_model("test_resnet", num_classes=classes)
    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors")
    settings = {"input_size": [3, 96, 96], "mean": [0.1, 0.2, 0.3], "std": [0.5] * 3, "num_classes": classes}
    config = {"architecture": "test_resnet", "num_classes": classes, "pretrained_cfg": settings}
    (folder / "config.json").write_text(json.dumps(config))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_built_in_list(zoo: Zoo, tmp_path: Path) -> None:
    """Without a zoo, timm's published networks with tags and licences are listed, and the installed package first."""
    from timm.models import list_pretrained

    found = document(zoo("list", "--json", UNFREEZE_CACHE=str(tmp_path / "cache")))["entries"]

    assert {row["name"] for row in found} == set(list_pretrained())
    assert (found[0]["name"], found[0]["origin"]) == ("tf_efficientnet_lite0.in1k", "package")
    licences = {row["name"]: (row["licence"], row["may_sell"]) for row in found}
    assert licences["resnet18.fb_swsl_ig1b_ft_in1k"] == ("cc-by-nc-4.0", "no")
    text = zoo("list", "resnet18.*", UNFREEZE_CACHE=str(tmp_path / "cache")).stdout.splitlines()
    assert text[0].split() == ["name", "classes", "size", "licence", "sell?", "accuracy", "where"]
    assert text[1].split() == ["resnet18.a1_in1k", "1,000", "224", "apache-2.0", "yes", "-", "timm's", "list"]
    again = subprocess.run(
        [sys.executable, "-c", LISTED], capture_output=True, text=True, check=False,
        env={**os.environ, "UNFREEZE_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert again.stdout == "[]\n"


LISTED = (
    "import sys\nfrom unfreeze.workflows.zoo_lists import list_zoo\nlist_zoo()\n"
    "print([name for name in ('torch', 'timm', 'huggingface_hub') if name in sys.modules])"
)
