"""A flowers' world without its models: a captioner that looks at colours, and an editor that walks in a line."""

from types import SimpleNamespace

import torch

from app.core.model_sets import Flowers
from app.models.services import Models
from app.panels import downloads
from sgf_hub.editing import EditStep, StopReason, edit
from sgf_hub.editing.config import EditRequest
from sgf_hub.editing.together import alone
from sgf_hub.predictors.captions.grounding import Kept
from sgf_hub.types import ConditionSpec, Latent, Target
from tests.app.visits import handle

COLOURS = ("red", "green", "blue")


class FakeCaptions:
    """The contract of `CaptionPredictor`: c is the mean of each colour, which the words name by the largest."""

    spec = ConditionSpec(caption=3)

    def __init__(self):
        self.embedded: list[str] = []  # sentences that needed the embedder

    def captioner(self, images):
        return self.words(images.mean(dim=(2, 3)))

    def __call__(self, images):
        self.embedded.append("a picture")
        return images.mean(dim=(2, 3))

    def words(self, c):
        return [f"this flower has {COLOURS[int(row.argmax())]} petals and {len(f'{row[0]:.1f}')} leaves" for row in c]

    def target(self, c0, *, release=(), caption):
        goal = torch.tensor([float(colour in caption) for colour in COLOURS]) * 2 - 1
        return Target(goal.expand_as(c0), torch.ones(3, dtype=torch.bool), torch.zeros(3, dtype=torch.bool))

    def distance(self, c, target):
        return (c - target.c).norm(dim=1)

    def similarity(self, c, text):
        self.embedded.append(text)
        return 1 / (1 + (c - self.target(c, caption=text).c).norm(dim=1))

    def compare(self, text, before, after):
        return Kept(any(colour in text and colour in after for colour in COLOURS), (), ())

    def familiarity(self, text):
        self.embedded.append(text)
        known = any(colour in text for colour in COLOURS)
        return SimpleNamespace(similarity=0.9 if known else 0.2, nearest="this flower has red petals", known=known)


class FakeEditor:
    """Moves w in a line, and stops at the limit, or at the third step for what is "within reach"."""

    def __init__(self, generator, predictor):
        self.generator, self.predictor = generator, predictor

    def edit(self, latent, target, config):
        return edit(self, latent, target, config)

    def steps(self, latent, target, config):
        return alone(self.work(latent, target, config))

    def work(self, latent, target, config, drawn=None):
        if not isinstance(target, Target):
            asked = target if isinstance(target, EditRequest) else EditRequest(target)
            target = asked.target(self.predictor, self.predictor(self.generator.synthesize(latent)))
        away = torch.ones_like(latent.data)
        for index in range(config.max_steps + 1):
            now = Latent(latent.data + 0.3 * index * away, latent.space)
            with torch.no_grad():
                images = self.generator.synthesize(now)
                c = self.predictor(images)
            distance = torch.tensor([max(3.0 - index, 0.5)])
            reason = StopReason.STEP_LIMIT if index == config.max_steps else None
            if target.c[0, 2] > 0 and index == 3:  # blue
                reason = StopReason.TARGET_REACHED
            yield EditStep(index, now, images, c, target, distance, (reason,))
            if reason:
                return


def with_fake_flowers(models: Models, model_set: Flowers) -> FakeCaptions:
    """Models in which the flowers' predictor and editor are fakes; their generator comes from the zoo."""
    predictor = FakeCaptions()
    models.once(("predictor", model_set.heads), lambda: predictor)
    models.once(("editor", model_set.captions), lambda: FakeEditor(models.generator(model_set.generator), predictor))
    return predictor


def saved(panel, kind: str, session, *more) -> str:
    """The path of what a button of `app.panels.downloads` writes."""
    result = handle(panel, getattr(downloads, kind), session, *more)
    return (result if isinstance(result, dict) else drained(result))[panel.download]


def drained(handler):
    """What a generator returns."""
    while True:
        try:
            next(handler)
        except StopIteration as end:
            return end.value
