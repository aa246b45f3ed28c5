"""What a visitor does, without Gradio: sessions, requests, gestures, errors."""
