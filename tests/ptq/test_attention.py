"""Attention as PyTorch exports it: scaled dot products with masks of every kind have no float part."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import halfeven as he

torch = pytest.importorskip("torch", reason="exports attention from PyTorch")

BATCH, LENGTH, WIDTH, HEADS = 2, 10, 32, 4
KEEP = np.ones((BATCH, LENGTH), np.bool_)
KEEP[1, 6:] = False


def attention(mask_of: Callable[[Any], dict[str, Any]]) -> Any:
    """Self-attention; ``mask_of`` makes the options of the scaled dot product."""

    class Attention(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is not typed here
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.outer = torch.nn.Linear(WIDTH, 3 * WIDTH), torch.nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any, keep: Any = None) -> Any:
            heads = self.inner(x).view(BATCH, LENGTH, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
            y = torch.nn.functional.scaled_dot_product_attention(*heads.unbind(0), **mask_of(keep))
            return self.outer(y.transpose(1, 2).reshape(BATCH, LENGTH, WIDTH))

    return Attention()


def encoder() -> Any:
    class Encoder(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 64, batch_first=True)

        def forward(self, x: Any, keep: Any) -> Any:
            return self.layer(x, src_key_padding_mask=~keep)

    return Encoder()


NETWORKS = {
    "no mask": lambda: attention(lambda _: {}),
    "causal": lambda: attention(lambda _: {"is_causal": True}),
    "keys": lambda: attention(lambda keep: {"attn_mask": keep[:, None, None, :]}),
    "constant": lambda: attention(lambda _: {"attn_mask": torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()}),
    "keys and causal": lambda: attention(
        lambda keep: {"attn_mask": keep[:, None, None, :] & torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()}
    ),
    "encoder layer": encoder,
}
MASKED = ("keys", "keys and causal", "encoder layer")


def exported(name: str, *, dynamo: bool) -> onnx.ModelProto:
    torch.manual_seed(0)
    network, feeds = NETWORKS[name]().eval(), [torch.randn(BATCH, LENGTH, WIDTH)]
    feeds += [torch.from_numpy(KEEP)] if name in MASKED else []
    names = {"input_names": ["x", "keep"][: len(feeds)], "output_names": ["y"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            return torch.onnx.export(network, tuple(feeds), verbose=False, dynamo=True, **names).model_proto
        file = io.BytesIO()
        torch.onnx.export(network, tuple(feeds), file, opset_version=17, dynamo=False, **names)
        return onnx.load_from_string(file.getvalue())


def samples(name: str, *, empty: bool = False) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    made = []
    for _ in range(8):
        keep = rng.random((BATCH, LENGTH)) < 0.7
        keep[:, 0] = True
        if empty:
            keep[1] = False
        x = rng.normal(0, 1, (BATCH, LENGTH, WIDTH)).astype(np.float32)
        made.append({"x": x, "keep": keep} if name in MASKED else {"x": x})
    return made


def decibels(model: onnx.ModelProto, quantized: he.QuantizedModel, data: list[dict[str, np.ndarray]]) -> float:
    session = ort.InferenceSession(model.SerializeToString())
    pairs = [(session.run(None, feeds)[0], quantized.run(feeds)["y"]) for feeds in data]
    return float(10 * np.log10(sum((f**2).sum() for f, _ in pairs) / sum(((f - q) ** 2).sum() for f, q in pairs)))


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "torch.export"])
@pytest.mark.parametrize("name", NETWORKS)
def test_attention_is_integer(name: str, *, dynamo: bool) -> None:
    model, data = exported(name, dynamo=dynamo), samples(name)
    made = he.quantize_model(model, data, algorithms="none")
    assert not made.program.float_parts
    assert decibels(model, made, data) > 25
    for backend in ("reference", "torch"):
        np.testing.assert_array_equal(made.run(data[0], backend=backend)["y"], made.run(data[0])["y"])


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "torch.export"])
def test_a_sample_that_is_masked_whole_is_zero_before_what_follows(*, dynamo: bool) -> None:
    """As in PyTorch: no NaN, no average of what is masked."""
    model, data = exported("keys", dynamo=dynamo), samples("keys", empty=True)
    made = he.quantize_model(model, data, algorithms="none")
    assert not made.program.float_parts
    assert decibels(model, made, data) > 25
    y = made.run(data[0])["y"]
    assert (y[1] == y[1, :1]).all()  # the last layer's bias alone
