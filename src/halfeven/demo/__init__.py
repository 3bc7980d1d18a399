"""The main job on real models and real data, from package registries by name, start to end."""

from halfeven.demo.catalogue import tasks
from halfeven.demo.errors import DataUnavailableError
from halfeven.demo.run import DemoResult, run_demo
from halfeven.demo.task import DemoTask

__all__ = ["DataUnavailableError", "DemoResult", "DemoTask", "run_demo", "tasks"]
