"""Mistakes a user can make, each told in one sentence: what was given, what is accepted, what to do.

The command line prints the sentence and exits with code 2; the demo shows it in a notice. Anything that is not an
`SGFError` is a bug of ours.
"""


class SGFError(Exception):
    """Base of every mistake that is the caller's to mend."""


class UnknownNameError(SGFError):
    """A name (attribute, keypoint, zoo entry, Hub repo) that nothing answers to."""


class BadValueError(SGFError):
    """A value out of its range, of the wrong shape, or not finite."""


class SpaceError(SGFError):
    """A latent in another space than the one that is needed."""


class CorruptFileError(SGFError):
    """A file that is damaged, truncated, foreign, or not what its name says."""


class DegenerateMappingError(SGFError):
    """An auxiliary mapping that ignores its condition, so that its field is zero (assumption 3 of the paper)."""
