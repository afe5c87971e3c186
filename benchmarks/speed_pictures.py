"""Pictures and the tables of docs/speed.md from benchmarks/results."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from tools.marked import between

from benchmarks.pictures import draw

RESULTS, PICTURES, PAGE = Path("benchmarks/results/speed.json"), Path("docs/pictures"), Path("docs/speed.md")
PARTS = ("step", "encoder", "partitioner", "inference", "graphs")


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: duration of each variant at each size; in brackets how many times faster than public."""
    public = {(row["proteins"], row["length"]): row for row in rows if row["variant"] == "public"}
    lines = ["| proteins x residues | variant | " + " | ".join(PARTS) + " | peak MiB |", "|" + " --- |" * 8]
    for row in rows:
        other = public.get((row["proteins"], row["length"]))
        cells = [_cell(row["median_s"].get(part), other and other["median_s"].get(part)) for part in PARTS]
        share = f" ({row['peak_mib'] / other['peak_mib']:.2f})" if other and other is not row else ""
        size = f"{row['proteins']} x {row['length']}"
        lines.append(f"| {size} | {row['variant']} | {' | '.join(cells)} | {row['peak_mib']:.0f}{share} |")
    return "\n".join(lines)


def _cell(seconds: float | None, other: float | None) -> str:
    if seconds is None:
        return ""
    text = f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"
    return f"{text} ({other / seconds:.1f}x)" if other and other != seconds else text


def pictures(result: dict[str, Any]) -> None:
    """Step time and peak memory by size and variant; microseconds a residue along each axis."""
    rows = [
        {
            "size": f"{row['proteins']} x {row['length']}",
            "variant": row["variant"],
            "step": row["median_s"]["step"],
            "peak": row["peak_mib"],
        }
        for row in result["sizes"]
    ]
    panels = [
        {
            "mark": "bar",
            "encoding": {
                "x": {"field": "size", "type": "nominal", "sort": None, "title": "proteins x residues"},
                "xOffset": {"field": "variant", "sort": None},
                "y": {"field": field, "type": "quantitative", "title": title},
                "color": {"field": "variant", "sort": None},
            },
        }
        for field, title in (("step", "seconds a step"), ("peak", "peak memory, MiB"))
    ]
    draw({"data": {"values": rows}, "hconcat": panels}, PICTURES / "speed.png")
    points = [
        {"axis": row["axis"], "value": float(row["arguments"][-1]), "ms": 1e3 * row["median_s"]["step"]}
        for row in result["scaling"]
        if not row["axis"].startswith("width")
    ]
    draw(
        {
            "data": {"values": points},
            "facet": {"field": "axis", "columns": 3, "title": None},
            "spec": {
                "width": 170,
                "height": 130,
                "mark": {"type": "line", "point": True},
                "encoding": {
                    "x": {"field": "value", "type": "quantitative", "title": None},
                    "y": {"field": "ms", "type": "quantitative", "title": "ms a step"},
                },
            },
            "resolve": {"scale": {"x": "independent", "y": "independent"}},
        },
        PICTURES / "speed_scaling.png",
    )


def accuracy() -> str:
    """Markdown: validation accuracy of the runs of :mod:`benchmarks.accuracy`, and their processor time."""
    columns = (
        "chains (train, validation)",
        "run",
        "epochs",
        "processor seconds",
        "mean of last five",
        "best",
    )
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for name, which, seed, result in accuracy_runs():
        points, chains = result["points"], result["chains"]
        scores = [point["val_acc"] for point in points]
        best = max(points, key=lambda point: float(point["val_acc"]))
        lines.append(
            f"| {name} ({chains['train']}, {chains['val']}) | {which}, seed {seed} | {len(points)} "
            f"| {points[-1]['cpu_s']:.0f} | {statistics.mean(scores[-5:]):.3f} "
            f"| {best['val_acc']:.3f} (after {best['cpu_s']:.0f} s) |"
        )
    return "\n".join(lines)


def accuracy_runs() -> list[tuple[str, str, str, dict[str, Any]]]:
    """Name of the chains, implementation, seed and result of each run."""
    found = []
    for path in sorted(RESULTS.parent.glob("accuracy_*.json")):
        _, name, which, seed = path.stem.split("_")
        found.append((name, which, seed, json.loads(path.read_text())))
    return found


def accuracy_picture() -> None:
    """Validation accuracy by processor time."""
    rows = [
        {"chains": name, "run": which, "seed": seed, "s": point["cpu_s"], "accuracy": point["val_acc"]}
        for name, which, seed, result in accuracy_runs()
        for point in result["points"]
    ]
    draw(
        {
            "data": {"values": rows},
            "facet": {"field": "chains", "title": None},
            "spec": {
                "width": 300,
                "height": 200,
                "mark": {"type": "line", "point": {"size": 14}},
                "encoding": {
                    "x": {
                        "field": "s",
                        "type": "quantitative",
                        "scale": {"type": "log"},
                        "title": "processor seconds",
                    },
                    "y": {
                        "field": "accuracy",
                        "type": "quantitative",
                        "scale": {"zero": False},
                        "title": "validation accuracy",
                    },
                    "color": {"field": "run", "title": None},
                    "detail": {"field": "seed"},
                },
            },
            "resolve": {"scale": {"x": "independent"}},
        },
        PICTURES / "accuracy.png",
    )


def busy() -> str:
    """Markdown: a step alone and beside another process, by how long waiting threads spin."""
    rows = json.loads((RESULTS.parent / "busy.json").read_text())["steps"]
    steps = {
        (" x ".join(row["arguments"][1:]), row["spins"], row["busy"]): row["median_s"]["step"] for row in rows
    }
    most = max(row["spins"] for row in rows)  # libgomp's own
    lines = ["| widths | spins | alone | beside a busy process |", "| --- | --- | --- | --- |"]
    for widths, spins in dict.fromkeys((widths, spins) for widths, spins, _ in steps):
        cells = [_cell(steps[widths, spins, other], steps[widths, most, other]) for other in (False, True)]
        lines.append(f"| [{widths.replace(' x ', ', ')}] | {spins} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, and put the tables between the marks of the page."""
    result = json.loads(RESULTS.read_text())
    pictures(result)
    accuracy_picture()
    text = between(PAGE.read_text(), "speed", table(result["sizes"]))
    PAGE.write_text(between(between(text, "busy", busy()), "accuracy", accuracy()))


if __name__ == "__main__":
    main()
