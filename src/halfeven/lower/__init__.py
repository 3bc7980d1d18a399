"""From a QDQ graph to a Program of integer instructions."""

from halfeven.lower.lower import lower

__all__ = ["lower"]
