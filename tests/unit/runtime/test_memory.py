"""Networks that leave when they idle, and half precision: what the CPU can show of it."""

import threading
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from kinlib import Kinship
from kinlib.cli import main
from kinlib.faces.bisenet import BiSeNet
from kinlib.faces.demography import DemographyNet, analyse
from kinlib.faces.identity import identity_loss, load_identity
from kinlib.faces.mtcnn.cascade import Cascade
from kinlib.faces.parsing import Parser, ParsingNet, parse
from kinlib.faces.points import five_point_loss, load_onet
from kinlib.faces.upscale import _library_engine, _plain_engine
from kinlib.faces.upscale_networks import Compact, Upscaler
from kinlib.gan.encoder import Encoder
from kinlib.gan.generator import Generator
from kinlib.io import images
from kinlib.runtime import memory
from kinlib.runtime.compat import patch_torchvision
from kinlib.runtime.errors import KinlibError
from kinlib.studio.datasets import sample_parents

CPU, CARD = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(scope="module")
def photos():
    return sample_parents.couple(1)


@pytest.fixture(scope="module")
def plain(photos):
    kin = Kinship.load("studio", device="cpu")
    return kin, [kin.encode(photo) for photo in photos]


def capability(monkeypatch, major: int) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (major, 0))


# --- the type to compute in ---


@pytest.mark.parametrize(("major", "dtype"), [(6, torch.float16), (7, torch.float16), (8, torch.bfloat16)])
def test_half_precision_follows_the_card(monkeypatch, major: int, dtype: torch.dtype):
    capability(monkeypatch, major)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)  # a T4 says so, and emulates
    assert memory.half_dtype(CARD) == dtype
    assert memory.half_dtype(CPU) == torch.bfloat16


def test_bfloat16_is_refused_where_it_would_be_emulated(monkeypatch):
    capability(monkeypatch, 7)
    with pytest.raises(KinlibError, match=r"no bfloat16 .*use float16"):
        memory.pick_dtype("bfloat16", CARD)
    assert memory.pick_dtype("float16", CARD) == torch.float16
    capability(monkeypatch, 9)
    assert memory.pick_dtype(torch.bfloat16, CARD) == torch.bfloat16


@pytest.mark.parametrize("wanted", ["float64", "half", "", torch.float64, torch.int8, 16])
def test_other_types_are_refused(wanted):
    with pytest.raises(KinlibError, match="choose one of float32, float16, bfloat16"):
        memory.pick_dtype(wanted, CPU)


def test_types_by_name_and_by_default():
    assert memory.pick_dtype(None, CPU) == torch.float32
    assert {name: memory.pick_dtype(name, CPU) for name in memory.DTYPES} == memory.DTYPES


def test_autocast_changes_what_is_computed_and_nothing_else():
    layer, x = nn.Linear(4, 4), torch.ones(1, 4)
    for dtype in memory.DTYPES.values():
        with torch.inference_mode(), memory.autocast(CPU, dtype):
            assert layer(x).dtype == dtype
        assert layer.weight.dtype == torch.float32 and layer(x).dtype == torch.float32


# --- lending networks ---


def small_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval().requires_grad_(False)


def tensors(net: nn.Module) -> list[torch.Tensor]:
    return [*net.parameters(), *net.buffers()]


@pytest.mark.parametrize("inference", [True, False])
def test_lent_networks_come_back(inference: bool):
    """The device without memory of its own stands for a GPU."""
    net = small_net()
    own = [(tensor.data_ptr(), tensor.clone()) for tensor in tensors(net)]
    with torch.inference_mode(inference), memory.on_device(net, "meta") as lent:
        assert lent is net and {tensor.device.type for tensor in tensors(net)} == {"meta"}
        assert net(torch.zeros(1, 3, 8, 8, device="meta")).shape == (1, 4, 8, 8)
        with memory.on_device(net, "meta"):  # in one another: the outer block still has it
            pass
        assert {tensor.device.type for tensor in tensors(net)} == {"meta"}
    for tensor, (place, value) in zip(tensors(net), own, strict=True):
        assert tensor.data_ptr() == place and torch.equal(tensor, value)  # the very memory: nothing was copied back


def test_lent_networks_come_back_after_an_error():
    net = small_net()
    with pytest.raises(RuntimeError, match="out of memory"), memory.on_device(net, "meta"):
        raise RuntimeError("out of memory")
    assert {tensor.device.type for tensor in tensors(net)} == {"cpu"}


def test_a_second_thread_waits_until_a_network_is_back():
    net, entered = small_net(), threading.Event()
    places = [tensor.data_ptr() for tensor in tensors(net)]

    def borrow():
        with memory.on_device(net, "meta"):
            entered.set()

    other = threading.Thread(target=borrow)
    with memory.on_device(net, "meta"):
        other.start()
        assert not entered.wait(0.3)
    other.join(10)
    assert entered.is_set() and [tensor.data_ptr() for tensor in tensors(net)] == places


def test_a_device_that_fails_half_way_leaves_nothing_behind(monkeypatch):
    net, moved = small_net(), []
    move = torch.Tensor.to

    def failing(tensor, *args, **kwargs):
        moved.append(tensor)
        if len(moved) == 3:
            raise torch.OutOfMemoryError("out of memory")
        return move(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "to", failing)
    with pytest.raises(torch.OutOfMemoryError), memory.on_device(net, "meta"):
        pass
    assert {tensor.device.type for tensor in tensors(net)} == {"cpu"}


def no_memory() -> AbstractContextManager:
    """PyTorch's own error when a result is fetched from "meta", the device without memory."""
    return pytest.raises(NotImplementedError, match="meta")


@pytest.mark.parametrize("work", ["parse", "analyse"])
def test_networks_that_look_at_faces_are_lent(work: str):
    """On the device without memory the work ends when its result is fetched; the networks are back by then."""
    nets = {"parse": [ParsingNet(), BiSeNet()], "analyse": [DemographyNet()]}[work]
    for net in nets:
        net.eval().requires_grad_(False)
    places = [tensor.data_ptr() for net in nets for tensor in tensors(net)]
    seen = []
    for net in nets:
        net.register_forward_pre_hook(lambda net, given: seen.append((net, next(net.parameters()).device.type)))
    with no_memory():
        if work == "parse":
            parse(torch.zeros(1, 3, 64, 64), parser=Parser(*nets), device="meta")
        else:
            analyse(torch.zeros(1, 3, 64, 64), net=nets[0], device="meta")
    assert {net for net, _ in seen} == set(nets) and {place for _, place in seen} == {"meta"}
    assert [tensor.data_ptr() for net in nets for tensor in tensors(net)] == places


def test_the_detector_is_lent():
    cascade, seen = Cascade(torch.device("meta"), 20), []
    cascade.nets[0].register_forward_pre_hook(lambda net, given: seen.append(next(net.parameters()).device.type))
    with no_memory():
        cascade(np.zeros((1, 64, 64, 3), np.uint8))
    assert seen == ["meta"] and {tensor.device.type for tensor in tensors(cascade.nets)} == {"cpu"}


@pytest.mark.parametrize("engine", [_plain_engine, _library_engine])
def test_the_upscaler_is_lent(engine):
    net, seen = Compact(8, 2, 2).eval().requires_grad_(False), []
    if engine is _library_engine:
        patch_torchvision()
        pytest.importorskip("basicsr")
    net.register_forward_pre_hook(lambda net, given: seen.append({given[0].device, net.body[0].weight.device}))
    with no_memory():
        engine(Upscaler(net, 2), "meta")(np.zeros((32, 32, 3), np.uint8))
    assert seen == [{torch.device("meta")}] and {tensor.device.type for tensor in tensors(net)} == {"cpu"}


@pytest.mark.parametrize(("loss", "load"), [(five_point_loss, load_onet), (identity_loss, load_identity)])
def test_networks_of_losses_are_lent(loss, load):
    """The caller's pictures say where, and gradients arrive when the network has left already."""
    places = [tensor.data_ptr() for tensor in tensors(load())]
    drawn = torch.zeros(1, 3, 64, 64, device="meta", requires_grad=True)
    found = loss(drawn, torch.zeros(1, 3, 64, 64, device="meta"))
    assert found.device.type == "meta" and {tensor.device.type for tensor in tensors(load())} == {"cpu"}
    assert torch.autograd.grad(found, drawn)[0].shape == drawn.shape
    assert [tensor.data_ptr() for tensor in tensors(load())] == places


@pytest.mark.parametrize("memory_efficient", [True, False])
def test_networks_of_a_refinement_are_lent(plain, monkeypatch, memory_efficient: bool):
    """All of it on the device without memory, where nothing has to be fetched; they are there from first to last."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)  # which does not know this device
    kin, faces = plain
    generator = deepcopy(kin.generator)  # of which nothing is left where it is not lent
    away = replace(kin, generator=generator, device=torch.device("meta"), memory_efficient=memory_efficient)
    shared = {"points": load_onet(), "identity": load_identity(kin.identity)}
    places = {name: [tensor.data_ptr() for tensor in tensors(net)] for name, net in shared.items()}
    first, seen = {name: next(net.parameters()) for name, net in shared.items()}, []
    hooks = [
        net.register_forward_pre_hook(lambda net, given, name=name: seen.append((name, next(net.parameters()))))
        for name, net in shared.items()
    ]
    target = images.resize(images.to_tensor(faces[0].aligned), kin.generator.resolution)
    away._refine(target, faces[0].latent.to("meta"), 2, None)
    for hook in hooks:
        hook.remove()
    for name, net in shared.items():
        lent = {parameter for who, parameter in seen if who == name}
        assert len(lent) == 1 and lent != {first[name]}  # once for all steps
        assert {tensor.device.type for tensor in tensors(net)} == {"cpu"}
        assert [tensor.data_ptr() for tensor in tensors(net)] == places[name]
    assert len(seen) == 2 * 2 * 2  # steps, networks, and both what is drawn and what is wanted


def test_gradients_pass_through_lent_weights():
    net, x = small_net(), torch.zeros(1, 3, 4, 4, requires_grad=True)
    with memory.on_device(net, "cpu"):
        (gradient,) = torch.autograd.grad(net(x).sum(), x)
    assert gradient.abs().sum() > 0


# --- the whole way ---


def test_saving_memory_changes_no_picture(plain, photos):
    kin, faces = plain
    saving = Kinship.load("studio", device="cpu", memory_efficient=True)
    assert saving.memory_efficient and saving.dtype == torch.float32  # half precision by itself on a GPU only
    mine = [saving.encode(photo) for photo in photos]
    assert all(torch.equal(one.latent, other.latent) for one, other in zip(mine, faces, strict=True))
    drawn, wanted = saving.children(*mine, n=2, method="mask"), kin.children(*faces, n=2, method="mask")
    assert [child.image.tobytes() for child in drawn] == [child.image.tobytes() for child in wanted]


def test_only_the_network_that_works_is_on_the_device(photos, monkeypatch):
    """Each network is asked for once per stage, and the other is not there, but for the generator an encoder brings."""
    kin = Kinship.load("studio", device="cpu", memory_efficient=True)
    names = {id(kin.encoder): "encoder", id(kin.generator): "generator"}
    names |= {id(load_onet()): "points", id(load_identity(kin.identity)): "identity"}
    there, stages = [], []
    lend, encode, synthesise = memory.on_device, Encoder.forward, Generator.synthesis

    class Watched:
        def __init__(self, net, device):
            self.name, self.block = names.get(id(net), "other"), lend(net, device)

        def __enter__(self):
            there.append(self.name)
            return self.block.__enter__()

        def __exit__(self, *error):
            there.remove(self.name)
            return self.block.__exit__(*error)

    def watch(function, name):
        def called(*args, **kwargs):
            stages.append((name, tuple(there)))
            return function(*args, **kwargs)

        return called

    monkeypatch.setattr(memory, "on_device", Watched)
    monkeypatch.setattr(Encoder, "forward", watch(encode, "encoder"))
    monkeypatch.setattr(Generator, "synthesis", watch(synthesise, "generator"))
    faces = [kin.encode(photos[0]), kin.encode(photos[1], refine_steps=1)]
    kin.children(*faces, n=2)
    assert {name for name, _ in stages} == {"encoder", "generator"} and there == []
    allowed = {"encoder": [("encoder",)], "generator": [("generator",), ("generator", "points", "identity")]}
    allowed["generator"].append(("encoder",))  # it draws the codes to be corrected
    assert all(present in allowed[name] for name, present in stages)


@pytest.mark.parametrize(
    ("dtype", "latent_bound", "least_db"), [(torch.bfloat16, 0.05, 30.0), (torch.float16, 0.01, 40.0)]
)
def test_half_precision_is_bounded(plain, photos, dtype: torch.dtype, latent_bound: float, least_db: float):
    """From photograph to child: codes within a share of their spread, pictures within a PSNR."""
    kin, faces = plain
    half = Kinship.load("studio", device="cpu", dtype=dtype)
    mine = [half.encode(photo) for photo in photos]
    spread = (faces[0].latent - kin.encoder.latent_avg).square().mean().sqrt()
    for one, other in zip(mine, faces, strict=True):
        assert one.latent.dtype == torch.float32
        error = (one.latent - other.latent).square().mean().sqrt() / spread
        assert 0 < float(error) < latent_bound  # and not zero: it was really computed in 16 bits
    child, wanted = half.child(*mine), kin.child(*faces)
    error = (images.to_tensor(child.image) - images.to_tensor(wanted.image)).square().mean()
    assert child.latent.dtype == torch.float32
    assert 10 * float(torch.log10(4 / error)) > least_db


def test_refinement_is_computed_in_single_precision(plain, photos):
    """From the same start, in whatever type the networks otherwise compute: the same steps."""
    kin, faces = plain
    target = images.resize(images.to_tensor(faces[0].aligned), kin.generator.resolution)
    half = replace(kin, dtype=torch.bfloat16)
    start = faces[0].latent
    assert torch.equal(half._refine(target, start, 2, None), kin._refine(target, start, 2, None))


def test_half_precision_works_with_fewer_bytes(plain):
    """Activations that a pass keeps for its gradient, counted: half as many bytes."""
    kin, faces = plain

    def kept(dtype: torch.dtype) -> int:
        sizes = {}

        def note(tensor):
            sizes[tensor.untyped_storage().data_ptr(), tensor.shape] = tensor.nbytes
            alive.append(tensor)
            return tensor

        alive: list = []
        code = faces[0].latent.clone().requires_grad_(True)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor), memory.autocast(CPU, dtype):
            kin.generator.synthesis(code)
        return sum(sizes.values())

    assert kept(torch.bfloat16) < 0.75 * kept(torch.float32)


def test_command_line_takes_both(tmp_path, capsys, monkeypatch):
    asked = []
    load = Kinship.load
    monkeypatch.setattr(Kinship, "load", lambda *arguments: asked.append(arguments) or load(*arguments))
    options = ["--memory-efficient", "--dtype", "bfloat16", "--device", "cpu", "--n", "1"]
    assert main(["family", *options, "--out", str(tmp_path / "family.png")]) == 0
    assert (tmp_path / "family.png").is_file() and asked == [("studio", "cpu", True, "bfloat16")]
    capsys.readouterr()
    assert main(["family", "--dtype", "float8", "--out", str(tmp_path / "never.png")]) == 2
    assert "choose one of float32, float16, bfloat16" in capsys.readouterr().err
    assert not (tmp_path / "never.png").exists() and len(asked) == 1
