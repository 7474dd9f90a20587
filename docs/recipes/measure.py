#!/usr/bin/env python3
"""Trains and measures the rows of an experiment list, one after the other, and prints mean and spread over seeds.

    python3 docs/recipes/measure.py docs/recipes/mosaics.json --data FOLDER... --out OUT [--rows NAME...] [--seeds 0 1 2]

A list holds `base`, the settings that all rows share, and `rows`, what each changes (as `train --config`). With several
data folders seed i is run on folder i: one drawing of the data, one drawing of the weights. *t* is chosen on the `val`
rows (the best pooled mIoU there) and the figures are those of the `test` rows; a folder without `test` rows is measured
on `val`, and *t* is then taken from the very images it is measured on. `maps` of a list names, by architecture, further
maps that a row is measured by, beside its own, without training again. What is finished already is not run again, and
what was broken off goes on. `{out}` and `{seed}` in a list stand for the folder of all runs and the seed.

A row may say `"untrained": MODEL`: nothing is trained and that model is measured; or `"options": […]`, further words for `train`.

A list with `stage_1`, a model's name or folder, is about stage 2: its rows train a refiner on that model's heatmaps (`train --stage
camseg`), and the refined maps are measured. With `stage_1_map` the model of that folder is drawn by another map than its own. There a row
may say `"heatmap_alone": true`: nothing is trained and the heatmap is measured; or `"true_masks": true`: the masks of the data take the
place of the heatmaps.
Needs nothing but Python and `slidelight-cli` (--cli names it).
"""
import argparse
import json
import pathlib
import shutil
import statistics
import subprocess

FIGURES = ("acc", "auc", "t", "miou", "iou", "dice", "spec", "miou50", "kept")


def merged(base, patch):
    if not (isinstance(base, dict) and isinstance(patch, dict)):
        return patch
    for word, usual in (("architecture", "fmamil"), ("kind", "unet")):
        if word in patch and patch[word] != base.get(word, usual):
            base = {}
    return {**base, **{key: merged(base.get(key, {}), value) for key, value in patch.items()}}


def run(arguments):
    subprocess.run([str(it) for it in arguments], check=True, stdout=subprocess.DEVNULL)


def train(cli, config, data, out, options=()):
    settings = out / "settings.json"
    settings.write_text(json.dumps(config, indent=2) + "\n")
    run([cli, "train", data, "--out", out / "run", "--config", settings, "--resume", *options])


def drawn_by(model, kind, folder):
    """A copy of a model whose own map is of that kind."""
    shutil.copytree(model, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(merged(config, {"network": {"map": kind}}), indent=2) + "\n")
    return folder


def refine(cli, config, data, out, stage_1):
    """One row of a list about stage 2, and its figures."""
    heatmap_alone, true_masks = config.pop("heatmap_alone", False), config.pop("true_masks", False)
    out.mkdir(parents=True, exist_ok=True)
    if heatmap_alone:
        return measure(cli, data, out, None, stage_1)
    masks = ["--masks", data / "masks"] if true_masks else []
    train(cli, config, data, out, ["--stage", "camseg", "--model", stage_1, *masks])
    return measure(cli, data, out, None, out / "run/model", ["--refine"])


def measure(cli, data, out, kind, model=None, how=()):
    """The figures of a finished training; `kind` is a map other than the model's own, or None."""
    def report(split):
        file = out / f"{split}{'.' + kind if kind else ''}.json"
        if not file.exists():
            options = ["--map", kind] if kind else []
            run([cli, "eval", data, "--model", model or out / "run/model", "--masks", data / "masks", "--out", file,
                 "--no-baselines", "--split", split, *how, *options])
        return json.loads(file.read_text())

    val = report("val")
    t = val["best_threshold"]["threshold"]
    has_test = ",test" in (data / "labels.csv").read_text()
    final = report("test") if has_test else val

    def cut_at(threshold):
        return next(it for it in final["thresholds"] if abs(it["threshold"] - threshold) < 1e-3)["pooled"]

    pixels, at_half, labels = cut_at(t), cut_at(0.5), final["classification"]
    return {
        "acc": labels["accuracy"], "auc": labels["auc"], "t": t, "miou": pixels["miou"], "iou": pixels["iou"],
        "dice": pixels["dice"], "spec": pixels["specificity"], "miou50": at_half["miou"],
        "kept": final["faithfulness"] or 0.0,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, nargs="+", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--cli", default="slidelight-cli")
    parser.add_argument("--rows", nargs="*")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    args = parser.parse_args()
    experiments = json.loads(args.list.read_text())
    print("| row | n | " + " | ".join(FIGURES) + " |\n" + "|---" * (len(FIGURES) + 2) + "|")
    for name in args.rows or experiments["rows"]:
        config = merged(experiments["base"], experiments["rows"][name])
        untrained, options = config.pop("untrained", None), config.pop("options", [])
        stage_1 = experiments.get("stage_1")
        if not stage_1:
            config.setdefault("description", {})["name"] = name
        architecture = config.get("model", {}).get("network", {}).get("architecture", "fmamil")
        kinds = [None, *experiments.get("maps", {}).get(architecture, [])]
        found = {kind: [] for kind in kinds}
        for seed in args.seeds:
            data, out = args.data[seed % len(args.data)], args.out / name / str(seed)
            text = json.dumps([{**config, "seed": seed}, stage_1])
            config_of_seed, model = json.loads(text.replace("{out}", str(args.out.resolve())).replace("{seed}", str(seed)))
            if stage_1:
                if "stage_1_map" in experiments:
                    model = drawn_by(pathlib.Path(model), experiments["stage_1_map"], args.out / "stage_1" / str(seed))
                found[None].append(refine(args.cli, config_of_seed, data, out, model))
                continue
            out.mkdir(parents=True, exist_ok=True)
            if not untrained:
                words = [it.replace("{seed}", str(seed)) for it in options]
                train(args.cli, config_of_seed, data, out, words)
            for kind in kinds:
                found[kind].append(measure(args.cli, data, out, kind, untrained))
        for kind, figures in found.items():
            print(line(f"{name}, {kind}" if kind else name, figures), flush=True)


def line(name, found):
    """A row of the table: mean and spread of every figure."""
    cells = []
    for figure in FIGURES:
        values = [it[figure] for it in found]
        spread = f" ± {statistics.stdev(values):.3f}" if 1 < len(values) else ""
        cells.append(f"{statistics.mean(values):.3f}{spread}")
    return f"| {name} | {len(found)} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
