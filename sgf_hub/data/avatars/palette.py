"""The colours of a face: flat tones in soft families, each with its own jitter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sgf_hub.data.paint import WHITE, Colour, from_hsv, mix, scaled

if TYPE_CHECKING:
    from sgf_hub.data.avatars.factors import Factors

INK: Colour = (52, 38, 46)  # lashes and closed lids

_SKIN: tuple[tuple[float, Colour], ...] = (  # skin_tone -> colour; labels leave -0.35 .. 0.45 empty
    (-1.0, (255, 228, 208)),
    (-0.35, (240, 192, 156)),
    (0.45, (172, 114, 82)),
    (1.0, (132, 84, 63)),
)
_HAIR: dict[str, Colour] = {
    "black_hair": (44, 40, 52),
    "brown_hair": (118, 74, 48),
    "blond_hair": (240, 203, 112),
    "gray_hair": (198, 200, 210),
}
_RED_HAIR: Colour = (198, 88, 46)
_LIPSTICKS: tuple[Colour, ...] = ((206, 32, 62), (222, 52, 98), (176, 28, 72))
_IRISES: tuple[Colour, ...] = ((96, 60, 40), (62, 118, 168), (78, 128, 88), (120, 84, 46))
_FRAMES: tuple[Colour, ...] = ((40, 38, 50), (120, 44, 44), (36, 60, 104), (64, 44, 36))
_JEWELS: tuple[Colour, ...] = ((250, 198, 60), (250, 244, 232), (64, 190, 184))


def _choose(options: tuple[Colour, ...], nuisance: float) -> Colour:
    return options[min(int((nuisance + 1) / 2 * len(options)), len(options) - 1)]


@dataclass(frozen=True)
class Palette:
    """The colours of one face."""

    skin: Colour
    shade: Colour  # of the skin: neck, ears
    nose: Colour
    line: Colour  # on the skin: wrinkles, lids
    blush: Colour
    hair: Colour
    hair_dark: Colour
    hair_light: Colour
    brow: Colour
    beard: Colour
    lips: Colour
    iris: Colour
    background: Colour
    disc: Colour
    clothes: Colour
    clothes_dark: Colour
    hat: Colour
    hat_dark: Colour
    frame: Colour
    jewel: Colour

    @classmethod
    def of(cls, f: Factors) -> Palette:
        """Return the colours of a face."""
        tone = f.amount("dark_skin", f.skin_tone_amount)
        low, high = (_SKIN[2], _SKIN[3]) if f.dark_skin else (_SKIN[0], _SKIN[1])
        skin = mix(low[1], high[1], (tone - low[0]) / (high[0] - low[0]))
        red_brown = (120, 30, 24)
        shade = mix(skin, red_brown, 0.22 if f.dark_skin else 0.15)
        line = scaled(mix(skin, red_brown, 0.30), 0.66 if f.dark_skin else 0.80)

        hair = next((colour for name, colour in _HAIR.items() if getattr(f, name)), _RED_HAIR)
        if f.bald:  # what the brows and the beard are made of
            hair = _HAIR["gray_hair"] if f.old and f.hair_style > 0.2 else _HAIR["brown_hair"]
        pale = f.blond_hair or sum(hair) > 540
        # On dark skin brown and red hair are darker, or they would be lost on it.
        darker = 1.0 if pale or f.black_hair or not f.dark_skin else 0.72 if f.brown_hair or f.bald else 0.82
        hair = scaled(hair, darker * (1 + 0.07 * f.hair_shade))
        hair_light = mix(hair, WHITE, 0.30) if pale else mix(hair, (255, 220, 200), 0.14)
        # Brows and beards stand out from the skin: darker than it, or for gray on dark skin lighter.
        if f.dark_skin and pale:
            brow, beard = scaled(hair, 0.42 if f.blond_hair else 0.92), scaled(hair, 0.95)
        else:
            brow, beard = scaled(hair, 0.62 if pale else 0.72), scaled(hair, 0.78 if pale else 0.86)

        natural = mix(skin, (176, 50, 56), 0.46 if f.dark_skin else 0.42)
        if f.warm_background:
            background = from_hsv(28 + 20 * f.background_hue, 0.60 + 0.08 * f.background_light, 0.98)
        else:
            background = from_hsv(208 + 38 * f.background_hue, 0.34 + 0.10 * f.background_light, 0.90)
        clothes = from_hsv(180 * (f.clothes_hue + 1), 0.46, 0.72 + 0.16 * f.clothes_light)
        hat = from_hsv(180 * (f.clothes_hue + 1) + 140 + 40 * f.accent, 0.55, 0.78)
        jewels = _JEWELS[1:] if f.blond_hair else _JEWELS[::2] if f.gray_hair else _JEWELS
        return cls(
            skin=skin,
            shade=shade,
            nose=scaled(skin, 0.78) if f.dark_skin else mix(skin, red_brown, 0.23),
            line=line,
            blush=mix(skin, (226, 66, 70), 0.46) if f.dark_skin else mix(skin, (250, 92, 108), 0.46),
            hair=hair,
            hair_dark=scaled(hair, 0.80),
            hair_light=hair_light,
            brow=brow,
            beard=beard,
            lips=_choose(_LIPSTICKS, f.lip_hue) if f.lipstick else natural,
            iris=_choose(_IRISES[:1] + _IRISES[3:], f.iris) if f.dark_skin else _choose(_IRISES, f.iris),
            background=background,
            disc=mix(background, WHITE, 0.20 if f.warm_background else 0.34),
            clothes=clothes,
            clothes_dark=scaled(clothes, 0.80),
            hat=hat,
            hat_dark=scaled(hat, 0.80),
            frame=_choose(_FRAMES, f.accent),
            jewel=_choose(jewels, f.accent),
        )
