"""Editing: the loop, the stepping rules, `SGFEditor` (Algorithm 1)."""

from sgf_hub.editing.config import EditConfig, EditRequest, Wishes
from sgf_hub.editing.editor import SGFEditor
from sgf_hub.editing.stepping import CaptionSecant, Fixed, GainControlled, Reaimed, SteppingRule, tuned
from sgf_hub.editing.trajectory import Editor, EditStep, StopReason, Trajectory, edit

__all__ = [
    "CaptionSecant",
    "EditConfig",
    "EditRequest",
    "EditStep",
    "Editor",
    "Fixed",
    "GainControlled",
    "Reaimed",
    "SGFEditor",
    "SteppingRule",
    "StopReason",
    "Trajectory",
    "Wishes",
    "edit",
    "tuned",
]
