"""Parameters as torch tensors: on the device of the data, shaped to broadcast against it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from halfeven.errors import ParameterError
from halfeven.numerics.affine import BYTE, check_ends
from halfeven.numerics.params import AffineParams
from halfeven.numerics.qtype import QType

_DTYPES = {"int8": torch.int8, "uint8": torch.uint8, "int16": torch.int16, "uint16": torch.uint16, "int32": torch.int32}


def storage(qtype: QType) -> torch.dtype:
    """The torch type that stores one code in memory."""
    return _DTYPES[qtype.storage.name]


def placed(a: NDArray[Any], device: torch.device) -> Tensor:
    """A NumPy array as a tensor on ``device``, also where it holds one number.

    A scalar left on the host would make CUDA's division multiply by the reciprocal: another function.
    """
    # Traced, an array is a tensor already; else a copy is made, because torch warns of arrays that cannot be written.
    tensor = torch.as_tensor(a) if torch.compiler.is_dynamo_compiling() else torch.tensor(a)
    return tensor.to(device, non_blocking=True)


def expanded(params: AffineParams, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scale (float32) and zero point (int32) that broadcast against ``x``, on its device."""
    scale, zero_point = placed(params.scale, x.device), placed(params.zero_point, x.device)
    if params.axis is None:
        return scale, zero_point
    axis = params.normalized_axis(tuple(x.shape))
    if params.block_size is None:
        return along(scale, axis, x), along(zero_point, axis, x)
    return _blocks(scale, params.block_size, axis, x), _blocks(zero_point, params.block_size, axis, x)


def along(channels: Tensor, axis: int | None, x: Tensor) -> Tensor:
    """One number, or one a channel of ``axis``, shaped to broadcast against ``x``.

    Raises
    ------
    ParameterError
        If ``x`` has another number of channels.
    """
    if axis is None or channels.ndim == 0:
        return channels
    if not -x.ndim <= axis < x.ndim or channels.shape[0] != x.shape[axis]:
        raise ParameterError(f"{channels.shape[0]} channels do not fit axis {axis} of shape {tuple(x.shape)}")
    shape = [1] * x.ndim
    shape[axis] = -1
    return channels.reshape(shape)


def _blocks(a: Tensor, block_size: int, axis: int, x: Tensor) -> Tensor:
    return a.repeat_interleave(block_size, dim=axis).narrow(axis, 0, x.shape[axis])


def check_codes(codes: Tensor, params: AffineParams) -> None:
    """Raise ParameterError unless ``codes`` are stored as ``params`` say, and are codes where that can be asked."""
    expected = storage(params.qtype)
    if codes.dtype != expected:
        raise ParameterError(f"codes of {params.qtype} are stored as {expected}, not {codes.dtype}")
    if params.qtype.bits < BYTE and codes.numel() and can_be_read(codes):
        lo, hi = codes.aminmax()
        check_ends(int(lo), int(hi), params.qtype)


def can_be_read(x: Tensor) -> bool:
    """Whether its values can be looked at: not while compiling, exporting or capturing, nor on the meta device."""
    return not (torch.compiler.is_compiling() or x.is_meta or (x.is_cuda and torch.cuda.is_current_stream_capturing()))


def largest(params: AffineParams) -> int:
    """The largest ``|q - Z|`` that codes of ``params`` can have."""
    zero = params.zero_point.astype(np.int64)
    if not zero.size:
        return 0
    return int(max(params.qtype.qmax - zero.min(), zero.max() - params.qtype.qmin))
