"""Run all benchmarks and write docs/performance.md: `python -m benchmarks`, or `make bench`."""

import platform
from pathlib import Path

import torch

from benchmarks import captions, demo, processes, step


def main() -> None:
    """Measure, and write the page."""
    lines = [
        "# Times and memory\n",
        "Written by `make bench`. Medians of one run; compare the columns, not the machine.\n",
        f"{torch.get_num_threads()} threads ({platform.machine()}), torch {torch.__version__}, "
        f"Python {platform.python_version()}.\n",
        "## One step of an edit\n",
        "| mapping | batch | generator, ms | predictor, ms | field, ms | whole step, ms | field's share | "
        "step over generator + predictor |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("sgf-avatars-attributes", "sgf-avatars-keypoints"):
        for batch in (1, 8):
            row = step.measure(name, batch, repeats=100)
            lines.append(
                f"| {name} | {batch} | {row['generator_ms']:.2f} | {row['predictor_ms']:.2f} | {row['field_ms']:.2f} | "
                f"{row['step_ms']:.2f} | {row['field_share']:.0%} | {row['over_generator_and_predictor']:.2f} |"
            )
    row = captions.measure()
    lines += [
        f"\n## One edit by sentence, {captions.STEPS} steps\n",
        "| generator, ms | captioner, ms | a new sentence's embedding, ms | field, ms | whole edit, s | "
        "first caption, with loading, s |",
        "|---|---|---|---|---|---|",
        f"| {row['generator_ms']:.1f} | {row['captioner_ms']:.1f} | {row['embedding_ms']:.1f} | "
        f"{row['field_ms']:.1f} | {row['edit_s']:.2f} | {row['first_caption_s']:.1f} |",
    ]
    rows = processes.measure()
    lines += [
        "\n## Sampling pairs and training F in several processes\n",
        f"avatars-stylegan2 and avatars-attributes, {processes.PAIRS:,} pairs, {processes.ITERATIONS} iterations of "
        "batch 256. Differences are to the first line's: of pairs, the largest one over the largest value; of the loss "
        "over the first 100 iterations, and of that on held-out pairs in the end.\n",
        "| | pairs a second | of the first | iterations a second | of the first | pairs differ by | loss by | "
        "held-out loss by |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {one['setting']} | {one['pairs_per_second']:.0f} "
            f"| {one['pairs_per_second'] / rows[0]['pairs_per_second']:.2f} | {one['iterations_per_second']:.1f} "
            f"| {one['iterations_per_second'] / rows[0]['iterations_per_second']:.2f} "
            f"| {one['pairs_difference']:.1e} | {one['first_loss_difference']:.1e} "
            f"| {one['held_out_loss_difference']:.1e} |"
            for one in rows
        ),
    ]
    row = demo.measure()
    lines += [
        "\n## The demo, from a cold start\n",
        "| what | figure |",
        "|---|---|",
        f"| start to a served page | {row['served_s']:.1f} s |",
        f"| first face (models load) | {row['first_face_s']:.1f} s |",
        f"| first edit, to its end | {row['first_edit_s']:.1f} s |",
        f"| peak memory when the page is served | {row['served_peak_mb']:.0f} MB |",
        f"| peak memory after the first edit | {row['peak_mb']:.0f} MB |",
    ]
    page = Path("docs/performance.md")
    page.parent.mkdir(exist_ok=True)
    page.write_text("\n".join(lines) + "\n")
    print(page.read_text())


if __name__ == "__main__":
    main()
