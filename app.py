"""The Space's entry point, and `python app.py`: build the demo and serve it.

Host and port are Gradio's own settings: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT. `python app.py --mcp`, or
GRADIO_MCP_SERVER=True, also serves the endpoints as tools (docs/api.md).
"""

import gc
import sys

from app.server.gradio_private import import_gradio
from app.server.start import import_libraries, share_cores

if __name__ == "__main__":
    gc.disable()  # what is imported stays: looking for garbage in it takes a tenth of the start
    share_cores()
    import_gradio()

    from app.core.model_sets import FIRST, Faces, RenderedFaces
    from app.models.edit_process import EditProcess, worth_it
    from app.models.services import Models
    from app.server.page import build_demo, launch

    faces = RenderedFaces() if FIRST == RenderedFaces.kind else Faces()
    apart = EditProcess() if worth_it() else None
    if apart:
        apart.start(faces, faces.attributes)
    models = Models(apart)
    demo = build_demo(models=models)
    import_libraries()
    gc.freeze()
    gc.enable()
    launch(demo, lambda: models.warm(faces, faces.attributes), mcp_server="--mcp" in sys.argv[1:] or None)
