"""The Gradio demo of sgf-hub: `app.demo.build_demo` builds it, `app.demo.launch` serves it."""
