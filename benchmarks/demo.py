"""Start-up and memory of the demo: `python -m benchmarks.demo [--json]`. Linux only: it reads /proc."""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def peak_mb(pid: int) -> float:
    """The largest resident memory a process has had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found.group(1)) / 1024


def measure() -> dict:
    """Start the demo, wait for its page, make its first edit, and ask for its memory."""
    from gradio_client import Client

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }
    start = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "app.py"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}/"
        while True:
            try:
                urllib.request.urlopen(url, timeout=1).read()
                break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit("the demo ended before it served a page") from None
                time.sleep(0.05)
        row = {"served_s": time.perf_counter() - start, "served_peak_mb": peak_mb(server.pid)}
        client = Client(url, verbose=False)
        begun = time.perf_counter()
        client.predict(seed=7, api_name="/new_face")
        row["first_face_s"] = time.perf_counter() - begun
        begun = time.perf_counter()
        client.predict(seed=7, wishes={"smile": 1}, api_name="/edit_attributes")
        row["first_edit_s"] = time.perf_counter() - begun
        row["peak_mb"] = peak_mb(server.pid)
        return row
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    row = measure()
    print(json.dumps(row) if parser.parse_args().json else ", ".join(f"{k} {v:.3g}" for k, v in row.items()))


if __name__ == "__main__":
    main()
