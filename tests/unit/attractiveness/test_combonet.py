"""ComboNet: the released layout, by names and numbers, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import resnet18

from kinlib.attractiveness.network import BACKBONES, ComboNet, load_backbone, load_combonet, normalise
from kinlib.runtime.errors import KinlibError

STAGES = {1: (3, 64, 256), 2: (4, 256, 512), 3: (6, 512, 1024), 4: (3, 1024, 2048)}  # units, channels in, out


def released(num_classes: int = 5, seed: int = 0) -> dict[str, Tensor]:
    """Seeded tensors under the names of the released checkpoint, written from pytorchcv's description."""
    generator = torch.Generator().manual_seed(seed)
    state = {}

    def conv(name, outputs, inputs, size, bias=False):
        fan = inputs * size * size
        state[f"{name}.weight"] = torch.randn(outputs, inputs, size, size, generator=generator) * (2 / fan) ** 0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(outputs, generator=generator)

    def norm(name, channels):
        state[f"{name}.weight"] = torch.rand(channels, generator=generator) * 0.2 + 0.4
        state[f"{name}.bias"] = torch.randn(channels, generator=generator) * 0.1
        state[f"{name}.running_mean"] = torch.randn(channels, generator=generator) * 0.1
        state[f"{name}.running_var"] = torch.rand(channels, generator=generator) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(1)

    def block(name, outputs, inputs, size):
        conv(f"{name}.conv", outputs, inputs, size), norm(f"{name}.bn", outputs)

    block("module.backbone.init_block.conv", 64, 3, 7)
    for stage, (units, inputs, outputs) in STAGES.items():
        for unit in range(1, units + 1):
            name, width = f"module.backbone.stage{stage}.unit{unit}", outputs // 2
            block(f"{name}.body.conv1", width, inputs if unit == 1 else outputs, 1)
            block(f"{name}.body.conv2", width, width // 32, 3)
            block(f"{name}.body.conv3", outputs, width, 1)
            conv(f"{name}.se.conv1", outputs // 16, outputs, 1, bias=True)
            conv(f"{name}.se.conv2", outputs, outputs // 16, 1, bias=True)
            if unit == 1:
                block(f"{name}.identity_conv", outputs, inputs, 1)
    for branch, outputs in (("regression", 1), ("classification", num_classes)):
        state[f"module.{branch}_branch.weight"] = torch.randn(outputs, 2048, generator=generator) * 2048**-0.5
        state[f"module.{branch}_branch.bias"] = torch.randn(outputs, generator=generator)
    return state


def released_forward(state: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The released network as plain functions of its tensors."""

    def block(x, name, stride=1, padding=0, groups=1):
        x = F.conv2d(x, state[f"{name}.conv.weight"], None, stride, padding, groups=groups)
        keys = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(state[f"{name}.bn.{key}"] for key in keys))

    x = F.max_pool2d(block(images, "module.backbone.init_block.conv", 2, 3).relu(), 3, 2, 1)
    for stage, (units, _, _) in STAGES.items():
        for unit in range(1, units + 1):
            name, stride = f"module.backbone.stage{stage}.unit{unit}", 2 if unit == 1 and stage > 1 else 1
            y = block(x, f"{name}.body.conv1").relu()
            y = block(y, f"{name}.body.conv2", stride, 1, groups=32).relu()
            y = block(y, f"{name}.body.conv3")
            gate = y.mean(dim=(2, 3), keepdim=True)
            gate = F.conv2d(gate, state[f"{name}.se.conv1.weight"], state[f"{name}.se.conv1.bias"]).relu()
            gate = F.conv2d(gate, state[f"{name}.se.conv2.weight"], state[f"{name}.se.conv2.bias"]).sigmoid()
            x = (gate * y + (block(x, f"{name}.identity_conv", stride) if unit == 1 else x)).relu()
    features = F.avg_pool2d(x, 7).flatten(1)
    branches = [f"module.{branch}_branch" for branch in ("regression", "classification")]
    scores, logits = (F.linear(features, state[f"{name}.weight"], state[f"{name}.bias"]) for name in branches)
    return scores[:, 0], logits


def test_the_released_layout_gives_the_released_outputs(tmp_path):
    state = released()
    torch.save(state, tmp_path / "ComboNet.pth")
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = released_forward(state, images)
        found = load_combonet(tmp_path / "ComboNet.pth")(images)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()
    assert (found[0][0] - found[0][1]).abs() > 1e-3 * found[0].abs().max()  # the pictures matter


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_our_layout_comes_back(tmp_path, backbone):
    torch.manual_seed(0)
    net = ComboNet(backbone, num_classes=3).eval()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    loaded = load_combonet(tmp_path / "net.safetensors")
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        for ours, again in zip(net(images), loaded(images), strict=True):
            assert torch.equal(ours, again)
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_the_released_resnet18_holds_an_unused_classifier(tmp_path):
    torch.manual_seed(0)
    state = {f"module.{name}": tensor for name, tensor in ComboNet("resnet18").state_dict().items()}
    state |= {"module.backbone.fc.weight": torch.zeros(1000, 512), "module.backbone.fc.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "resnet.pth")
    scores, logits = load_combonet(tmp_path / "resnet.pth")(torch.zeros(2, 3, 224, 224))
    assert scores.shape == (2,) and logits.shape == (2, 5)


def test_other_files_are_refused(tmp_path):
    state = released()
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(KinlibError, match="holds no ComboNet: it has no classification_branch"):
        load_combonet(tmp_path / "other.pth")
    del state["module.backbone.stage3.unit2.se.conv1.bias"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(KinlibError, match=r"lacks 'backbone\.layer3\.1\.se\.fc1\.bias' \(1 in all\)"):
        load_combonet(tmp_path / "short.pth")
    with pytest.raises(KinlibError, match="there is no backbone 'vgg': seresnext50, resnet18"):
        ComboNet("vgg")


def test_normalisation_is_torchvisions():
    from torchvision.transforms.functional import normalize

    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    wanted = normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert torch.allclose(normalise(images * 2 - 1), wanted, atol=1e-6)


def test_imagenet_weights_fill_the_backbone_and_leave_the_branches(tmp_path):
    torch.manual_seed(0)
    whole = resnet18()  # with its classifier, as it is published
    torch.save(whole.state_dict(), tmp_path / "resnet18.pth")
    net = ComboNet("resnet18")
    before = net.regression_branch.weight.clone()
    load_backbone(net, tmp_path / "resnet18.pth")
    assert torch.equal(net.backbone.layer3[0].conv1.weight, whole.layer3[0].conv1.weight)
    assert torch.equal(net.regression_branch.weight, before)
    with pytest.raises(KinlibError, match="does not fit ResNet"):
        load_backbone(ComboNet("seresnext50"), tmp_path / "resnet18.pth")


def test_the_small_network_takes_any_size_and_is_recognised(tmp_path):
    torch.manual_seed(0)
    net = ComboNet("small")
    net(torch.randn(8, 3, 64, 64))
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "small.safetensors")
    loaded = load_combonet(tmp_path / "small.safetensors")
    images = torch.rand(2, 3, 64, 64)
    for size in (64, 128):
        scores, logits = loaded(F.interpolate(images, size))
        assert scores.shape == (2,) and logits.shape == (2, 5)
    assert torch.allclose(loaded(images)[0], net.eval()(images)[0])
