"""The Space's entry point, and `python app.py`: build the demo and serve it.

Host and port are Gradio's own settings: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT. `python app.py --mcp`, or
GRADIO_MCP_SERVER=True, also serves the endpoints as tools (docs/api.md).
"""

import sys

from app.demo import build_demo, launch

if __name__ == "__main__":
    launch(build_demo(), mcp_server="--mcp" in sys.argv[1:] or None)
