"""A rendered face as most are: the means of 760 faces of `faces-dcgan`, as `faces-keypoints` reads them."""

_BOTH_SIDES = {
    "eye_outer": (0.266, 0.464), "eye_inner": (0.407, 0.473), "eye_top": (0.327, 0.442), "eye_bottom": (0.340, 0.487),
    "brow_outer": (0.207, 0.386), "brow_mid": (0.283, 0.346), "brow_inner": (0.417, 0.359),
    "nose": (0.412, 0.692), "mouth": (0.372, 0.807), "jaw": (0.230, 0.829), "cheek": (0.154, 0.531),
}  # fmt: skip
_MIDDLE = {
    "nose_bridge": 0.448, "nose_tip": 0.678, "lip_top": 0.775, "lip_bottom": 0.876, "lip_top_inner": 0.805,
    "lip_bottom_inner": 0.828, "chin": 0.985, "forehead": 0.204,
}  # fmt: skip


def usual_face() -> dict[str, tuple[float, float]]:
    """Its points, made the same on both sides."""
    points = {name: (0.493, y) for name, y in _MIDDLE.items()}
    for name, (x, y) in _BOTH_SIDES.items():
        for side, place in (("left", x), ("right", 0.986 - x)):
            points[f"{side}_{name}" if "_" in name else f"{name}_{side}"] = (place, y)
    return points
