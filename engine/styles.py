"""Which algorithm works an order, and what of a plan's hints is used: hints MAY be used, and it is said why not."""

from __future__ import annotations

from typing import Final

from engine.draft import Draft
from engine.instructions import PLAIN_TYPES, RESTING, SHOWN
from engine.plan import HINTS, ExecutionPlan, Style
from engine.specification import down
from engine.values import ONE, multiply

_STYLES: Final[dict[str, Style]] = {
    "TWAP": "TWAP",
    "VWAP": "VWAP",
    "POV": "POV",
    "IS": "IMPLEMENTATION_SHORTFALL",
    "IMPLEMENTATION_SHORTFALL": "IMPLEMENTATION_SHORTFALL",
    "ICEBERG": "ICEBERG",
    "SNIPER": "SNIPER",
    "ADAPTIVE": "ADAPTIVE",
}
_CLIPPED: Final = frozenset({"POV", "ICEBERG", "SNIPER"})
"""Algorithms whose children have one size: of the chunk count, or else of what may be seen."""
HINTS_OF: Final[dict[Style, frozenset[str]]] = {
    "TWAP": frozenset({"execution_urgency", "chunk_count_hint", "chunk_distribution"}),
    "VWAP": frozenset({"execution_urgency", "chunk_count_hint", "chunk_distribution"}),
    "POV": frozenset({"execution_urgency", "visibility_preference", "chunk_count_hint", "chunk_distribution"}),
    "IMPLEMENTATION_SHORTFALL": frozenset({"execution_urgency", "chunk_count_hint", "chunk_distribution"}),
    "ICEBERG": frozenset({"visibility_preference", "chunk_count_hint", "chunk_distribution"}),
    "SNIPER": frozenset({"execution_urgency", "visibility_preference", "chunk_count_hint"}),
    "ADAPTIVE": frozenset({"execution_urgency", "visibility_preference", "chunk_count_hint", "chunk_distribution"}),
}
"""What each of our algorithms makes use of, beside the style itself."""
_UNSHAPED: Final = frozenset({"POV", "IMPLEMENTATION_SHORTFALL", "ICEBERG"})
"""Algorithms that can make chunks UNIFORM, and that WEIGHTED says nothing to."""
_TIMED: Final = frozenset({"TWAP", "VWAP", "IMPLEMENTATION_SHORTFALL", "ADAPTIVE"})
"""Algorithms that spread an order over time, and so must know when it ends."""


def _wanted(draft: Draft) -> tuple[Style | None, str]:
    """The style that the hints speak for, and why none where there is none."""
    plan = draft.plan
    preferred = plan.preferred_execution_style
    if preferred is not None:
        style = _STYLES.get(preferred.strip().upper().replace(" ", "_").replace("-", "_"))
        return style, "" if style else f"no algorithm is called {preferred!r}"
    if plan.max_execution_window_minutes is not None:
        if plan.chunk_count_hint is not None and plan.chunk_count_hint > 1:
            return "TWAP", ""
        if any(hint is not None and hint < ONE for hint in (plan.execution_urgency, plan.visibility_preference)):
            return "ADAPTIVE", ""
    return None, "the order is sent whole and at once"


def choose(draft: Draft) -> None:
    """Chooses the algorithm, the venue's own before ours, or notes why none works this order."""
    style, why = _wanted(draft)
    end = draft.end()
    algo = next((algo for algo in draft.can.algos if algo.style == style), None)
    if style is None:
        draft.passed_over = why
    elif draft.kind not in PLAIN_TYPES or draft.time not in RESTING:
        draft.passed_over = f"a {draft.kind} {draft.time} order is sent whole"
    elif draft.display is not None or draft.told.post_only:
        draft.passed_over = "the order's own instructions say how it is shown"
    elif style == "ICEBERG" and draft.kind != "LIMIT":
        draft.passed_over = "only an order that rests at a price can show a part of itself"
    elif algo is not None:
        draft.algo = algo
    elif style in _TIMED and end is None:
        draft.passed_over = f"{style} needs max_execution_window_minutes or an order that ends"
    else:
        draft.style, draft.deadline = style, end
        draft.emulators.append("ALGORITHM")


def display(draft: Draft) -> None:
    """visibility_preference as a display quantity, for an order that rests whole at a venue which can hide."""
    visibility, lot = draft.plan.visibility_preference, draft.instrument.lot_size
    rests = draft.kind in SHOWN and draft.time in RESTING
    if visibility is None or draft.style or draft.algo or draft.display is not None:
        return
    if not rests or not draft.can.display_quantity:
        return
    shown = max(lot, draft.instrument.min_quantity, down(multiply(draft.quantity, visibility), lot))
    if shown < draft.quantity:
        draft.shown = shown
        draft.note("plan.visibility_preference", "hint used", f"{shown} of {draft.quantity} are displayed")
    else:
        draft.note("plan.visibility_preference", "hint used", "all of it is displayed")


def hints(draft: Draft) -> None:
    """Says of every hint that nothing was said of yet whether it is used, and why not."""
    done = {note.field for note in draft.honoured}
    for name in HINTS:
        field, value = f"plan.{name}", getattr(draft.plan, name)
        if value is None or field in done:
            continue
        if draft.algo is not None:
            _native_hint(draft, name, str(value))
        elif draft.style is None:
            draft.note(field, "hint not used", draft.passed_over)
        elif why := _useless(draft.plan, draft.style, name):
            draft.note(field, "hint not used", why)
        else:
            draft.note(field, "hint used", f"by {draft.style}")


def _useless(plan: ExecutionPlan, style: Style, name: str) -> str | None:
    """Why an algorithm of ours makes no use of a hint, or None where it does."""
    if name == "preferred_execution_style":
        return None
    if name not in HINTS_OF[style]:
        return f"{style} has no use for it"
    if name == "chunk_distribution" and style in _UNSHAPED and plan.chunk_distribution == "WEIGHTED":
        return f"{style} has a course of its own"
    if name == "visibility_preference" and style in _CLIPPED and plan.chunk_count_hint is not None:
        return "chunk_count_hint says how large its children are"
    return None


def _native_hint(draft: Draft, name: str, value: str) -> None:
    algo = draft.algo
    if algo is None:
        return
    if name == "preferred_execution_style":
        draft.note(f"plan.{name}", "hint used", f"the venue runs {algo.name}")
    elif name in algo.parameters:
        draft.parameters[algo.parameters[name]] = value
        draft.note(f"plan.{name}", "hint used", f"{algo.name}: {algo.parameters[name]} {value}")
    else:
        draft.note(f"plan.{name}", "hint not used", f"the venue's {algo.name} does not take it")
