"""The judge of a classifier."""

from __future__ import annotations

import numpy as np

from halfeven.demo.task import accuracy_of


def test_accuracy_is_the_share_of_best_classes_that_are_the_label() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
    assert accuracy_of("y", np.array([1, 0, 0, 0]))({"other": 1 - scores, "y": scores}) == 0.75
