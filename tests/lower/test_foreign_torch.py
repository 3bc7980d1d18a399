"""A module with fake quantizers, exported by both of PyTorch's exporters: all integer, and onnxruntime's codes."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import onnx
import pytest
from qdq_graph import assert_every_backend_gives, onnxruntime_outputs

import halfeven as he

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")


def fake(x: Any, scale: float, zero: int = 0) -> Any:
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127)


def fake_weight(weight: Any) -> Any:
    """One scale an output channel."""
    scale = weight.detach().abs().flatten(1).amax(1) / 127
    return torch.fake_quantize_per_channel_affine(
        weight, scale, torch.zeros_like(scale, dtype=torch.int32), 0, -128, 127
    )


def network() -> Any:
    f, nn = torch.nn.functional, torch.nn

    class Net(nn.Module):  # type: ignore[misc, name-defined]  # torch is not typed here
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 8, 3, padding=1)
            self.b = nn.Conv2d(8, 8, 3, padding=1, groups=8)
            self.c = nn.Conv2d(8, 8, 1)
            self.d = nn.Linear(8, 10)

        def forward(self, x: Any) -> Any:
            a = f.conv2d(fake(x, 0.03, 3), fake_weight(self.a.weight), self.a.bias, padding=1)
            a = fake(torch.relu(a), 0.02, -128)
            b = f.conv2d(a, fake_weight(self.b.weight), self.b.bias, padding=1, groups=8)
            c = f.conv2d(fake(f.relu6(b), 0.01, -128), fake_weight(self.c.weight), self.c.bias)
            y = fake(a + fake(c, 0.015, 4), 0.02, -20)
            return fake(f.linear(fake(y.mean((2, 3)), 0.01, -10), fake_weight(self.d.weight), self.d.bias), 0.01, 5)

    torch.manual_seed(0)
    return Net().eval()


def exported(*, dynamo: bool) -> onnx.ModelProto:
    x = torch.randn(2, 3, 12, 12)
    options: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"], "opset_version": 18, "dynamo": dynamo}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            return torch.onnx.export(network(), (x,), verbose=False, **options).model_proto
        file = io.BytesIO()
        torch.onnx.export(network(), (x,), file, **options)
        return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "torch.export"])
def test_fake_quantizers_become_codes(*, dynamo: bool) -> None:
    model = exported(dynamo=dynamo)
    loaded = he.load(model, strict=True)
    feeds = {"x": np.random.default_rng(3).standard_normal((2, 3, 12, 12)).astype(np.float32)}
    expected = onnxruntime_outputs(model, feeds)
    assert len(np.unique(expected["y"])) > 8
    assert_every_backend_gives(loaded, feeds, expected)
