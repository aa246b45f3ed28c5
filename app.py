"""The Space's entry point, and `python app.py`: build the demo and serve it.

Host and port are Gradio's own settings: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT.
"""

from app.demo import build_demo, launch

if __name__ == "__main__":
    launch(build_demo())
