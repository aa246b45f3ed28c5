"""What a process of the round trip's test does: `python -m tests.hub.round_trip`, with HF_ENDPOINT set."""

import json
import time
from pathlib import Path


def first_edit() -> None:
    """The demo's first face and its first edit, and the library's, in a package that came without its zoo."""
    from app.core.model_sets import Faces
    from app.core.session import Plan
    from app.core.stopping import Stops
    from app.models.edit_run import steps as edit_steps
    from app.models.services import Models
    from app.panels.faces import FacePanel
    from sgf_hub import SGFEditor
    from sgf_hub.hub import names as zoo

    assert not zoo.root().exists(), zoo.root()
    begun = time.monotonic()
    models, world = Models(), Faces()
    panel = FacePanel(world, models, Stops())
    latent = models.sample(world, 7, 0.8)
    face = panel.view_of().read(latent)
    steps = list(edit_steps(models, Plan(world.attributes, {"glasses": 1.0}), latent))
    demo = time.monotonic() - begun
    editor = SGFEditor.from_pretrained(f"sgf-hub/{world.attributes}")
    edited = editor.edit(latent, {"glasses": 1}).result
    told = {
        "before": face.attributes["glasses"],
        "steps": len(steps) - 1,
        "reason": str(steps[-1].reasons[0]),
        "after": (editor.predictor(editor.generator.synthesize(edited.latent))[0, 9].item() + 1) / 2,
        "name": editor.predictor.spec.attributes[9],
        "seconds": round(demo, 1),
        "from": str(Path(editor.mapping.folder or ".")),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    first_edit()
