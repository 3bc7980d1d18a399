"""The main job on real models and real data, from package registries by name, start to end."""

from halfeven.demo.errors import DataUnavailableError
from halfeven.demo.task import DemoTask

__all__ = ["DataUnavailableError", "DemoTask"]
