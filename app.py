"""The Space's entry point, and `python app.py`: build the demo and serve it.

Host and port are Gradio's own settings: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT. `python app.py --mcp`, or
GRADIO_MCP_SERVER=True, also serves the endpoints as tools (docs/api.md).
"""

import gc
import sys

from app.server.gradio_private import import_gradio
from app.server.start import import_libraries

if __name__ == "__main__":
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of the start
    import_gradio()

    from app.core.model_sets import FIRST, Faces, RenderedFaces
    from app.models.services import Models
    from app.server.page import build_demo, launch

    faces, models = RenderedFaces() if FIRST == RenderedFaces.kind else Faces(), Models()
    demo = build_demo(models=models)
    import_libraries()
    gc.freeze()
    gc.enable()
    launch(demo, lambda: models.warm(faces, faces.attributes), mcp_server="--mcp" in sys.argv[1:] or None)
