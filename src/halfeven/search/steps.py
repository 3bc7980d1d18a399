"""The search: a greedy order by what each knob is expected to bring, then what the integer program makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from halfeven.search.found import Judged
from halfeven.search.knobs import Knob, Knobs
from halfeven.search.settings import MixedPrecision

Ask = Callable[[Sequence[Knob]], Judged]
AROUND = 16  # bytes that a file may need besides the codes when one of its tensors gets more bits
SWAPS = 24  # refinements without a floor that are tried


def order_of(knobs: Knobs, gains: Mapping[Knob, float], size: int) -> list[Knob]:
    """Most error removed for its cost first.

    The cost is the share of the model's operations that become int16 and the share of its bytes that are added: a
    hundredth of the one counts as much as a hundredth of the other.
    """
    least = 1 / (2 * knobs.total)  # what costs nothing is worth more than what costs one operation

    def worth(knob: Knob) -> float:
        return gains.get(knob, 0.0) / (knob.operations / knobs.total + knob.bytes / max(1, size) + least)

    return sorted(knobs.knobs, key=worth, reverse=True)  # stable: of equals the first of the model


def within(knobs: Knobs, order: Sequence[Knob], settings: MixedPrecision, base: Judged) -> list[Knob]:
    """As many as the limits hold, in their order; one that does not fit is passed over."""
    taken: list[Knob] = []
    for knob in order:
        if fits(knobs, [*taken, knob], settings, base):
            taken.append(knob)
    return taken


def fits(knobs: Knobs, wide: Sequence[Knob], settings: MixedPrecision, base: Judged) -> bool:
    """Whether both limits hold."""
    if settings.max_wide is not None and knobs.wide_share(wide) > settings.max_wide:
        return False
    return (
        settings.max_bytes is None
        or base.size_bytes + knobs.added_bytes(wide) + AROUND * len(wide) <= settings.max_bytes
    )


def holds(judged: Judged, settings: MixedPrecision) -> bool:
    """Whether a model that was made keeps both limits."""
    wide = settings.max_wide is None or judged.wide_share <= settings.max_wide
    return wide and (settings.max_bytes is None or judged.size_bytes <= settings.max_bytes)


def cost_of(knobs: Knobs, judged: Judged, base: Judged) -> tuple[float, int]:
    """By which two models that reach the floor are compared: their cost, then how many knobs are turned."""
    return judged.wide_share + knobs.added_bytes(judged.wide) / max(1, base.size_bytes), len(judged.wide)


def to_floor(ask: Ask, allowed: Sequence[Knob], most_error: float) -> Iterator[None]:
    """Judge models until the cheapest that reaches the floor is among them; each step is one judgement.

    1. The shortest beginning of the order that reaches the floor, by halving.
    2. What of it can go again: halves, quarters, ... single knobs, the least worth first.
    """
    yield
    if ask(allowed).error > most_error:
        return
    low, high = 0, len(allowed)  # the first ``low`` do not reach it, the first ``high`` do
    while high - low > 1:
        middle = (low + high) // 2
        yield
        low, high = (low, middle) if ask(allowed[:middle]).error <= most_error else (middle, high)
    chosen, size = list(allowed[:high]), max(1, high // 2)
    while chosen and size:
        at = before = len(chosen)
        while at > 0:
            fewer = chosen[: max(0, at - size)] + chosen[at:]
            yield
            if ask(fewer).error <= most_error:
                chosen = fewer
            at = max(0, at - size)
        if size > 1 or len(chosen) == before:  # single knobs until none can go
            size //= 2


def to_limits(ask: Ask, knobs: Knobs, order: Sequence[Knob], settings: MixedPrecision, base: Judged) -> Iterator[None]:
    """Judge the fullest model that the limits hold, then exchange what brings least for what is left out."""
    chosen = within(knobs, order, settings, base)
    yield
    best = ask(chosen)
    left = [knob for knob in order if knob not in best.wide]
    for k in range(min(SWAPS, len(left), len(chosen))):
        kept = [knob for knob in chosen if knob is not chosen[len(chosen) - 1 - k]]
        tried = within(knobs, [*kept, *left], settings, base)
        if frozenset(tried) == best.wide or not set(kept) <= set(tried):
            continue
        yield
        found = ask(tried)
        if found.error < best.error:
            best, chosen = found, tried
            left = [knob for knob in order if knob not in best.wide]
