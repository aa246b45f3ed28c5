"""The Gradio demo of sgf-hub: `app.server.page.build_demo` builds it, `app.server.page.launch` serves it."""
