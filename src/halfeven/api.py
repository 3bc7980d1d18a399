"""Models: quantize one, load one, run it. The names behind ``halfeven.quantize_model`` and ``halfeven.load``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from halfeven.errors import DataError, NotQuantizedError, ParameterError, UnavailableError
from halfeven.execute import run as execute
from halfeven.execute.boundary import codes_input, deliver, quantized_at_once, real_input, rooms
from halfeven.execute.engine import Engine
from halfeven.execute.memory import return_free_memory
from halfeven.execute.threads import check_threads
from halfeven.ir.program import Port, Program
from halfeven.numerics.profile import JOURNEY6, ONNXRUNTIME, Profile, get_profile
from halfeven.numerics.qtype import QType, int8

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    from typing_extensions import Unpack

    from halfeven.ptq.algorithms import Algorithm
    from halfeven.ptq.boundary import Boundary
    from halfeven.ptq.choice import RangeChoice
    from halfeven.ptq.options import Config, Options
    from halfeven.ptq.plan import Plan
    from halfeven.ptq.quantize import Progress, PtqResult
    from halfeven.report.bench.benchmark import Benchmark
    from halfeven.report.comparison import Comparison
    from halfeven.report.sensitivity import Sensitivity, Trial
    from halfeven.search import MixedPrecision, MixedPrecisionResult

Array = NDArray[Any]
BACKENDS = ("native", "reference", "torch", "onnxruntime")
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger")


class QuantizedModel:
    """An integer model: standard QDQ ONNX, and the Program that it means.

    Attributes
    ----------
    program : the integer instructions; iterate or print it.
    inputs, outputs : name, shape, dtype and AffineParams of each boundary.
    source : where it came from, for messages.
    ptq : what post-training quantization did, for a model made by :func:`quantize_model`; else None.
    search : what a search for mixed precision found, where one was asked for.
    """

    def __init__(
        self,
        graph: ir.Model,
        program: Program,
        source: str,
        ptq: PtqResult | None = None,
        search: MixedPrecisionResult | None = None,
    ) -> None:
        self._graph = graph
        self._session: Any = None
        self._engine = Engine(program)
        self._nan_counted = quantized_at_once(program)
        self.program = program
        self.source = source
        self.ptq = ptq
        self.search = search

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The model's inputs."""
        return self.program.inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The model's outputs."""
        return self.program.outputs

    @property
    def profile(self) -> Profile:
        """The arithmetic that its nodes mean."""
        return self.program.profile

    def __repr__(self) -> str:
        ports = ", ".join(p.name for p in self.inputs), ", ".join(p.name for p in self.outputs)
        return f"QuantizedModel({self.source!r}, {ports[0]} -> {ports[1]}, profile={self.profile.name})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write standard QDQ ONNX, whole or not at all; the profile stands in its metadata."""
        from halfeven.interop import write_model  # noqa: PLC0415

        write_model(self._graph, path)

    def run(
        self,
        feeds: Mapping[str, Any],
        backend: str = "native",
        threads: int | None = None,
        into: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Array]:
        """Outputs by name, float32 at the boundary.

        Parameters
        ----------
        feeds : one array an input; float64 is rounded once to float32. CPU tensors of any library with DLPack (PyTorch)
            are read in place.
        backend : native, reference, torch (these three give the same bits) or onnxruntime.
        threads : None for every core.
        into : arrays or CPU tensors that take results, by output; the results returned are views of them.
        progress : called with (done, total): samples of a batch in the native engine, else instructions.

        Raises
        ------
        DataError
            If a name, shape or type does not fit; NotANumberError if an input holds NaN; ResourceError if the run needs
            more memory than there is. The model stays usable.
        """
        values = self._real_inputs(feeds, counted=backend != "onnxruntime")
        places = rooms({} if into is None else into, {p.name: p.dtype for p in self.outputs})
        if backend == "onnxruntime":
            check_threads(threads)
            found = self._run_onnxruntime(values, threads)
        else:
            found = self._run(values, [p.name for p in self.outputs], backend, threads, places, progress)
        for name, place in places.items():
            deliver(name, found[name], place)
        return found | places

    def run_codes(
        self,
        feeds: Mapping[str, Any],
        backend: str = "native",
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Array]:
        """Integer codes in and out, by the names of the model's inputs and outputs: no boundary nodes.

        A boundary that carries no codes takes and gives its values as they are.
        """
        if backend == "onnxruntime":
            raise ParameterError(
                "run_codes has the backends native, reference and torch: ONNX Runtime starts from floats"
            )
        values = {p.codes or p.name: codes_input(p, feeds[p.name]) for p in self._named(feeds)}
        wanted = [p.codes or p.name for p in self.outputs]
        found = self._run(values, wanted, backend, threads, progress=progress)
        return {p.name: found[p.codes or p.name] for p in self.outputs}

    def with_boundary(self, form: Boundary) -> QuantizedModel:
        """The same model with float32 values or integer codes at its inputs and outputs; what is inside stays.

        Save it to have the file.

        Parameters
        ----------
        form : "codes": without the QuantizeLinear behind inputs and the DequantizeLinear before outputs, as on a board;
            what carries no codes stays as it is. "float": with them. A dict says it by name of input and output, of
            which the others stay as they are; there "codes" where nothing carries any is an error.

        Raises
        ------
        ParameterError, ModelError
            If there is no such form or name, or an input or output named cannot be codes. "unquantized" belongs to
            :func:`quantize_model`: it is made before scales are chosen.
        """
        from halfeven.ptq.boundary import rewritten  # noqa: PLC0415

        graph = rewritten(self._graph, form)
        return QuantizedModel(graph, self._lowered(graph), self.source, self.ptq, self.search)

    def _at_reals(self) -> tuple[Program, ir.Model]:
        """Program and graph as they are fed with the float model's samples."""
        if not any(p.takes_codes for p in (*self.inputs, *self.outputs)):
            return self.program, self._graph
        from halfeven.interop.boundary import hide_codes  # noqa: PLC0415

        graph = hide_codes(self._graph)
        return self._lowered(graph), graph

    def _lowered(self, graph: ir.Model) -> Program:
        from halfeven.lower import lower  # noqa: PLC0415

        return lower(graph, self.profile, name=self.program.name)

    def _real_inputs(self, feeds: Mapping[str, Any], *, counted: bool) -> dict[str, Array]:
        return {
            p.name: real_input(p, feeds[p.name], nan_counted=counted and p.name in self._nan_counted)
            for p in self._named(feeds)
        }

    def _run(
        self,
        values: Mapping[str, Array],
        wanted: Sequence[str],
        backend: str,
        threads: int | None,
        into: Mapping[str, Array] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Array]:
        chosen, tell = _backend(backend, threads), progress or (lambda _done, _total: None)
        if backend == "native":
            return self._engine.run(values, wanted, threads or 0, into, tell)
        return execute.run_program(self.program, values, wanted, chosen, tell)

    def compare(
        self,
        float_model: str | os.PathLike[str] | onnx.ModelProto,
        data: Any,
        *,
        limit: int | None = None,
        speed: bool = True,
        progress: Progress | None = None,
    ) -> Comparison:
        """Hold every layer against the float model that this one was made from, over samples.

        Parameters
        ----------
        data : samples, in any form that :func:`quantize_model` takes.
        limit : at most so many of them.
        speed : also time both models; everything else follows from models and data alone.
        progress : called with (samples done, their number or None).

        Raises
        ------
        ModelError, DataError, NotANumberError, ParameterError
            One line each, naming the model, tensor or sample.
        """
        from halfeven.report.compare import compare  # noqa: PLC0415

        program, graph = self._at_reals()
        return compare(
            program,
            graph,
            float_model,
            data,
            source=self.source if self.ptq is None else f"{self.source}, quantized",
            limit=limit,
            speed=speed,
            progress=progress,
        )

    def sensitivity(
        self,
        float_model: str | os.PathLike[str] | onnx.ModelProto,
        data: Any,
        *,
        trials: Collection[Trial | str] = ("layer", "activation", "weight"),
        limit: int = 8,
        progress: Progress | None = None,
    ) -> Sensitivity:
        """What each layer's codes alone do to the model's outputs, all else in float32; and the reverse.

        Ctrl-C returns the layers looked at so far; ``interrupted`` of the result says so.

        Parameters
        ----------
        data : samples, in any form that :func:`quantize_model` takes; the first ``limit`` count.
        trials : "layer": its instruction in integers; "activation": its result's codes; "weight": its weight's codes;
            "without": everything in integers but its result and weight.
        progress : called with (steps done, their number).

        Raises
        ------
        ModelError, DataError, NotANumberError, ParameterError
            One line each, naming the model, tensor or sample.
        """
        from halfeven.report.sensitivity import sensitivity, trials_named  # noqa: PLC0415

        chosen = trials_named(trials)
        program, graph = self._at_reals()
        return sensitivity(program, graph, float_model, data, trials=chosen, limit=limit, progress=progress)

    def bench(
        self,
        feeds: Mapping[str, ArrayLike] | None = None,
        *,
        shapes: Mapping[str, Sequence[int]] | None = None,
        threads: int | None = None,
        against: str | Sequence[str] = (),
        seconds: float = 3.0,
        batch: int = 0,
    ) -> Benchmark:
        """Measure this model in the native engine on this machine, and the same file in other runtimes.

        Parameters
        ----------
        feeds : one array an input; None for noise of the model's shapes, or of ``shapes`` where sizes are free.
        threads : of every engine, None for every core.
        against : "onnxruntime", "openvino" or both. One that does not run the file has its reason in ``refused``.
        seconds : of timing, about, for each engine.
        batch : also so many samples at once, those of ``feeds`` over and over; 0 for none.

        Raises
        ------
        ParameterError, DataError, UnavailableError
            If an input, a shape or a peer is not there.
        """
        from halfeven.interop import to_bytes  # noqa: PLC0415
        from halfeven.report.bench.benchmark import benchmark  # noqa: PLC0415
        from halfeven.report.bench.inputs import noise  # noqa: PLC0415
        from halfeven.report.bench.peers import check_peers  # noqa: PLC0415

        check_threads(threads)
        peers = check_peers(against)
        if feeds is None:
            feeds = noise(self.inputs, {name: tuple(shape) for name, shape in (shapes or {}).items()})
        values = self._real_inputs(feeds, counted=True)
        if not isinstance(batch, Integral) or batch < 0:
            raise ParameterError(f"batch is {batch!r}: a number of samples was expected, or 0 for none")
        options: dict[str, Any] = {"threads": threads or 0, "against": peers, "seconds": seconds, "batch": batch}
        return benchmark(self.program, to_bytes(self._graph), values, **options)

    def _named(self, feeds: Mapping[str, Any]) -> tuple[Port, ...]:
        names = [p.name for p in self.inputs]
        if not isinstance(feeds, Mapping):
            wrong = f"a dict of arrays by input name was expected, not {type(feeds).__name__}"
            raise DataError(f"{wrong}: inputs are {', '.join(names)}", source=self.source)
        missing, extra = [n for n in names if n not in feeds], [n for n in feeds if n not in names]
        if missing or extra:
            wrong = f"'{missing[0]}' is missing" if missing else f"there is no '{extra[0]}'"
            raise DataError(f"inputs are {', '.join(names)}: {wrong}", source=self.source)
        return self.inputs

    def _run_onnxruntime(self, values: Mapping[str, Array], threads: int | None) -> dict[str, Array]:
        from halfeven.execute.float_part import open_session, run_session  # noqa: PLC0415
        from halfeven.interop import to_bytes  # noqa: PLC0415

        if self._session is None or self._session[0] != threads:
            self._session = threads, open_session(to_bytes(self._graph), threads=threads or 0)
        return run_session(self._session[1], values)


def _backend(name: str, threads: int | None) -> execute.Backend:
    check_threads(threads)
    if name == "native":
        return execute.native_backend(threads)
    if name == "reference":
        return execute.reference_backend()
    if name == "torch":
        try:
            return execute.torch_backend(threads=threads)
        except ImportError:
            raise UnavailableError("backend torch needs PyTorch: pip install 'halfeven[torch]'", name="torch") from None
    raise ParameterError(f"no backend is named {name!r}: one of {', '.join(BACKENDS)} was expected")


def quantize_model(
    model: str | os.PathLike[str] | onnx.ModelProto,
    data: Any,
    *,
    activations: QType | str = int8,
    weights: QType | str = int8,
    weight_group: int | None = None,
    config: Config | None = None,
    method: RangeChoice | str | None = None,
    algorithms: Iterable[Algorithm | str] | str | None = None,
    boundary: Boundary = "float",
    search: MixedPrecision | None = None,
    profile: str | Profile = JOURNEY6,
    strict: bool = False,
    progress: Progress | bool | None = None,
) -> QuantizedModel:
    """Post-training quantization: a float ONNX model and some of its inputs in, an integer model out.

    Parameters
    ----------
    model : a file, or a loaded ModelProto; opset 9 or later.
    data : calibration samples: an iterable of dicts of arrays, an array or dict of arrays with a leading sample axis,
        a ``.npz``, a folder (``<folder>/<input>/<k>.npy``, or ``.npy`` files for a one-input model), or a DataLoader.
    activations, weights : code types.
    weight_group : int4 weights have one scale for each so many inputs of a channel, instead of one a channel.
    config : a quant_config.json of the Journey 6 toolchain, or its contents as a dict; where it gives a type,
        ``activations`` and ``weights`` do not count.
    method : how ranges are chosen: "default" (for each scale the best of the others, by the error at the results of
        the operators that read it), "symmetric" (the same with symmetric codes alone), "max",
        "percentile", "kl", "mse", or a Method, BestOf or BestModel with its own
        options.
    algorithms : accuracy algorithms, or their names, such as ``["bias-correction"]``; None for second-order rounding
        and bias correction, "none" or () for none. What each did, which stays where samples that it has not seen come
        nearer to float, stands in ``model.ptq.algorithms``.
    boundary : what the model takes and gives: "float" values, behind which it has codes; the integer "codes", as a
        board sees them; or values that are left "unquantized": an output comes in float32 straight from the last
        product's sums. One for all, or a dict by name of input and output.
    search : a :class:`~halfeven.search.MixedPrecision`: which tensors get int16, and with ``weights="int4"`` which
        weights int8, is found by measuring; ``model.search`` says how.
    profile : the arithmetic that the model is made for.
    strict : refuse a model of which a part would run in float32.
    progress : called with (done, total or None) samples; None or False for silence. If it has a method ``begin``, that
        is called with the name of each part of a search; if it has ``state``, that with the memory that calibration
        will take, before it begins (it stands in ``model.ptq.memory`` too).

    Raises
    ------
    ModelError, DataError, UnsupportedError
        One line each, naming the file, node, tensor or sample.
    """
    from halfeven.lower import lower  # noqa: PLC0415
    from halfeven.ptq.quantize import quantize  # noqa: PLC0415

    tell = progress if callable(progress) else None
    options: Options = {
        "activations": activations,
        "weights": weights,
        "weight_group": weight_group,
        "method": method,
        "config": config,
        "algorithms": algorithms,
        "boundary": boundary,
    }
    found = None
    if search is None:
        result = quantize(model, data, profile=profile, progress=tell, **options)
    else:
        from halfeven.search import mixed_precision  # noqa: PLC0415

        begin = getattr(tell, "begin", lambda _: None)
        result, found = mixed_precision(model, data, search, profile=profile, progress=tell, begin=begin, **options)
    program = lower(result.model, get_profile(profile), strict=strict, name=result.model.graph.name or "model")
    return QuantizedModel(result.model, program, str(getattr(model, "name", None) or _source(model)), result, found)


def plan_quantization(model: str | os.PathLike[str] | onnx.ModelProto, **options: Unpack[Options]) -> Plan:
    """What :func:`quantize_model` would do, before any data: print it to see every node's setting and its source."""
    from halfeven.ptq.quantize import described_plan  # noqa: PLC0415

    return described_plan(model, **options)


def load(
    path: str | os.PathLike[str] | onnx.ModelProto, profile: str | Profile | None = None, *, strict: bool = False
) -> QuantizedModel:
    """Read a quantized ONNX model.

    Parameters
    ----------
    path : ONNX with QuantizeLinear and DequantizeLinear, or with operators on codes (QLinearConv and the like); ours or
        another tool's. It is written back in the first form.
    profile : the arithmetic that its nodes mean; by default what the file's own metadata names, else ``onnxruntime``.
    strict : refuse a model of which a part runs in float32.
    """
    from halfeven.interop import metadata, read_model, rewrite_qoperators, simplify  # noqa: PLC0415
    from halfeven.lower import lower  # noqa: PLC0415

    model = read_model(path)
    rewrite_qoperators(model)
    if not metadata(model):
        simplify(model)
    named = metadata(model).get("halfeven.profile", ONNXRUNTIME.name)
    if not any(node.op_type in QUANTIZED for node in model.graph):
        raise NotQuantizedError(
            f"{_source(path)}: no QuantizeLinear or DequantizeLinear in it: a float model is made integer by quantize",
            source=_source(path),
        )
    program = lower(model, get_profile(profile or named), strict=strict, name=model.graph.name or "model")
    return_free_memory()
    return QuantizedModel(model, program, _source(path))


def _source(model: Any) -> str:
    return os.fspath(model) if isinstance(model, (str, os.PathLike)) else "model"
