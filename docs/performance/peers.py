"""Times Captum, shap, lime, Quantus and XGBoost on the committed models beside xbench.

    cargo xtask build
    python docs/performance/peers.py [--rounds 3] [--only REGEX] [--parts explanations,scores,trees]

needs torch, captum, shap, lime, quantus, xgboost and safetensors. Every tool has one thread, the same
weights and as many images; what is measured is CPU time, so that other work on the machine matters
little. Tools take turns: in each round every job of theirs and of ours runs once. Printed are the
medians over rounds, and the median of the rounds' ratios (how many times longer the other tool takes).

Ours are `xbench run docs/performance/explainers.yaml` (explanations), `cargo bench -p xbench-run --bench
scores` and `cargo bench -p xbench-explainers-trees --bench
all_outputs`.
"""

import argparse
import contextlib
import csv
import gzip
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

for variable in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]:
    os.environ[variable] = "1"

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
sys.path.insert(0, str(ROOT / "tests/fixtures/reference"))
from networks import LAST, network  # noqa: E402

SIDE, CELL = 28, 4
FEW, MANY = 20, 60  # explained, scored


def images(count):
    """The first images of each class of the test set, as suites select them; blots without data."""
    folder = Path(os.environ.get("XBENCH_DATA", ROOT / "data")) / "fashion-mnist"
    try:
        pixels = read_idx(folder, "t10k-images-idx3-ubyte", 16).reshape(-1, 1, SIDE, SIDE)
        labels = read_idx(folder, "t10k-labels-idx1-ubyte", 8)
    except FileNotFoundError:
        return blots(count).reshape(-1, 1, SIDE, SIDE)
    rows = [np.flatnonzero(labels == label)[: count // 10] for label in range(10)]
    return pixels[np.sort(np.concatenate(rows))].astype(np.float32) / 255


def read_idx(folder, name, header):
    for path, opened in [(folder / name, open), (folder / f"{name}.gz", gzip.open)]:
        if path.exists():
            with opened(path, "rb") as file:
                return np.frombuffer(file.read()[header:], np.uint8)
    raise FileNotFoundError(folder / name)


def blots(count):
    """The pictures of the Tree SHAP bench."""
    image, row, column = np.meshgrid(
        np.arange(count), np.arange(SIDE), np.arange(SIDE), indexing="ij")
    x = (column - 9 - image % 11).astype(np.float32)
    y = (row - 8 - image % 13).astype(np.float32)
    light = 1 - (x * x + np.float32(0.5) * y * y) / (60 + 3 * (image % 17)).astype(np.float32)
    return (np.round(255 * light.clip(min=0)) / 255).astype(np.float32).reshape(count, -1)


def cells():
    at = np.arange(SIDE) // CELL
    return at[:, None] * (SIDE // CELL) + at[None, :]


def explanations(name):
    """Yields (our label, what theirs is, images, callable)."""
    import shap
    from captum import attr
    from lime import lime_image

    net = network(name).float()
    pixels = images(FEW)
    x = torch.tensor(pixels)
    zero = torch.zeros_like(x)
    with torch.no_grad():
        target = net(x).argmax(1)
    cam = attr.LayerGradCam(net, getattr(net, LAST[name]))

    def gradcam():
        map_ = cam.attribute(x, target=target, relu_attributions=True)
        attr.LayerAttribution.interpolate(map_, (SIDE, SIDE), "bilinear")

    yield "gradcam", "captum LayerGradCam, one batch", FEW, gradcam
    saliency = attr.Saliency(net)
    yield ("saliency", "captum Saliency, one batch", FEW,
           lambda: saliency.attribute(x, target=target))
    ig = attr.IntegratedGradients(net)
    yield ("ig", "captum, 50 steps, internal_batch_size=100", FEW,
           lambda: ig.attribute(x, baselines=zero, target=target, n_steps=50,
                                method="gausslegendre", internal_batch_size=100))
    smooth = attr.NoiseTunnel(saliency)
    yield ("smoothgrad", "captum NoiseTunnel, 50 samples, 5 at a time", FEW,
           lambda: smooth.attribute(x, nt_type="smoothgrad", nt_samples=50, stdevs=0.15,
                                    nt_samples_batch_size=5, target=target, abs=False))
    deeplift = attr.DeepLift(net)
    yield ("deeplift", "captum, zero baseline, one batch", FEW,
           lambda: deeplift.attribute(x, baselines=zero, target=target))
    occlusion = attr.Occlusion(net)
    yield ("occlusion", "captum, 49 windows, one at a time for all images", FEW,
           lambda: occlusion.attribute(x, (1, CELL, CELL), strides=(1, CELL, CELL),
                                       target=target, baselines=0))
    labels = cells()
    mask = torch.tensor(labels)[None, None]
    kernel = attr.KernelShap(net)

    def captum_kernel():
        for row, at in zip(x, target):
            kernel.attribute(row[None], target=int(at), feature_mask=mask, n_samples=500,
                             perturbations_per_eval=100)

    yield "kernel-shap", "captum, 49 segments, 500 samples, 100 at a time", FEW, captum_kernel

    def shap_kernel():
        for row, at in zip(pixels, target):
            def of_cells(on):
                shown = row * on[:, labels].astype(np.float32)[:, None]
                with torch.inference_mode():
                    return net(torch.tensor(shown))[:, int(at)].numpy()
            explainer = shap.KernelExplainer(of_cells, np.zeros((1, labels.max() + 1)))
            explainer.shap_values(np.ones((1, labels.max() + 1)), nsamples=500, l1_reg=0,
                                  silent=True)

    yield "kernel-shap", "shap KernelExplainer, 49 segments, 500 samples", FEW, shap_kernel
    explain = lime_image.LimeImageExplainer(random_state=0)

    def predict(rows):
        with torch.inference_mode():
            grey = torch.tensor(rows[..., 0], dtype=torch.float32)[:, None]
            return torch.softmax(net(grey), 1).numpy()

    def lime():
        for row, at in zip(pixels, target):
            rgb = np.repeat(row[0][:, :, None].astype(np.double), 3, axis=2)
            explain.explain_instance(
                rgb, predict, labels=(int(at),), top_labels=None, hide_color=0, num_samples=1000,
                batch_size=500, segmentation_fn=lambda _: labels)

    yield "lime", "lime_image, 49 segments, 1000 samples", FEW, lime

    def partition():
        def of_rows(rows):
            with torch.inference_mode():
                return net(torch.tensor(rows, dtype=torch.float32).permute(0, 3, 1, 2)).numpy()
        masker = shap.maskers.Image(np.zeros((SIDE, SIDE, 1)), (SIDE, SIDE, 1))
        explainer = shap.PartitionExplainer(of_rows, masker)
        explainer(pixels.transpose(0, 2, 3, 1), max_evals=500, batch_size=100,
                  outputs=shap.Explanation.argsort.flip[:1], silent=True)

    yield "partition-shap", "shap PartitionExplainer, 500 evaluations", FEW, partition


def scores(name):
    """Yields (our id, what theirs is, images, callable)."""
    import quantus

    if not hasattr(np, "trapz"):
        np.trapz = np.trapezoid
    net = network(name).float()
    x = images(MANY)
    rows = torch.tensor(x)
    with torch.no_grad():
        y = net(rows).argmax(1).numpy()

    def gradient(model, inputs, targets, **_):
        inputs = torch.as_tensor(np.asarray(inputs), dtype=torch.float32).requires_grad_(True)
        outputs = model(inputs)
        at = torch.as_tensor(np.asarray(targets)).long()
        chosen = outputs.gather(1, at[:, None]).sum()
        (map_,) = torch.autograd.grad(chosen, inputs)
        return map_.detach().numpy()

    maps = gradient(net, x, y)
    inside = np.zeros(x.shape, dtype=int)
    inside[:, :, 7:21, 7:21] = 1
    plain = dict(normalise=False, disable_warnings=True, display_progressbar=False)
    whole = dict(abs=False, **plain)

    def ask(metric, **options):
        def job():
            metric(model=net, x_batch=x, y_batch=y, a_batch=maps, s_batch=inside, device="cpu",
                   channel_first=True, batch_size=MANY, explain_func=gradient, **options)
        return job

    same = quantus.similarity_func
    road = dict(percentages=list(range(10, 100, 10)))
    for ours, what, job in [
        ("pixel_flipping", "PixelFlipping, 28 steps", ask(
            quantus.PixelFlipping(features_in_step=28, perturb_baseline=0.0, **whole))),
        ("faithfulness_correlation", "FaithfulnessCorrelation, 100 subsets of 224", ask(
            quantus.FaithfulnessCorrelation(nr_runs=100, subset_size=224, perturb_baseline=0.0,
                                            **whole))),
        ("region_perturbation", "RegionPerturbation, 49 patches", ask(
            quantus.RegionPerturbation(patch_size=4, regions_evaluation=49,
                                       perturb_baseline=0.0, **whole))),
        ("irof", "IROF, SLIC", ask(
            quantus.IROF(perturb_baseline=0.0, return_aggregate=False, **whole))),
        ("road", "ROAD, 9 shares", ask(quantus.ROAD(**road, **whole))),
        ("max_sensitivity", "MaxSensitivity, 10 neighbours", ask(
            quantus.MaxSensitivity(nr_samples=10, lower_bound=0.1, **whole))),
        ("mprt", "MPRT, top down", ask(
            quantus.MPRT(similarity_func=same.correlation_spearman, layer_order="top_down",
                         return_average_correlation=True, **whole))),
        ("random_logit", "RandomLogit, SSIM", ask(
            quantus.RandomLogit(num_classes=10, similarity_func=same.ssim, **whole))),
        ("gini", "Sparseness", ask(quantus.Sparseness(abs=True, **plain))),
        ("relevance_rank", "RelevanceRankAccuracy", ask(
            quantus.RelevanceRankAccuracy(**whole))),
        ("auroc", "AUC", ask(quantus.AUC(**whole))),
    ]:
        yield ours, f"quantus {what}", MANY, job


def trees():
    """Yields (our name, what theirs is, rows, callable)."""
    import shap
    import xgboost

    weights = ROOT / "plugins/models/trees/weights"
    boosted = weights / "fashion-mnist/xgboost-published.safetensors"
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.json"
        run(["cargo", "run", "--release", "-q", "-p", "xbench-models-trees", "--example", "convert",
             boosted, exported])
        booster = xgboost.Booster({"nthread": 1}, model_file=exported)
    rows = blots(64)
    held = xgboost.DMatrix(rows, nthread=1)
    yield ("boosted", "xgboost pred_contribs, 10 classes", 64,
           lambda: booster.predict(held, pred_contribs=True))
    # The shap package hands XGBoost's models to XGBoost; given the trees, it explains them itself.
    # Each class has trees of its own.
    classes, _ = read_trees(boosted)
    explainers = [shap.TreeExplainer(of_trees(found)) for found in classes]
    yield ("boosted", "shap TreeExplainer given the trees, 10 classes", 64,
           lambda: [one.shap_values(rows, check_additivity=False) for one in explainers])
    background, few = blots(100), rows[:8]
    against = [shap.TreeExplainer(of_trees(found), background,
                                  feature_perturbation="interventional") for found in classes]
    yield ("boosted, 100 background rows", "shap TreeExplainer, interventional, 10 classes", 8,
           lambda: [one.shap_values(few, check_additivity=False) for one in against])
    forest = weights / "fetal-health/random-forest-published.safetensors"
    (found,), cuts = read_trees(forest)
    table = among_thresholds(cuts, 256)
    explainer = shap.TreeExplainer(of_trees(found))
    yield ("forest", "shap TreeExplainer, 3 classes", len(table),
           lambda: explainer.shap_values(table, check_additivity=False))


def of_trees(found):
    """An ensemble as the shap package takes it."""
    return {"internal_dtype": np.float64, "input_dtype": np.float32, "objective": "squared_error",
            "tree_output": "raw_value", "base_offset": 0.0, "trees": found}


def read_trees(path):
    """The trees of a file that plugins/models/trees/src/store.rs wrote, as dictionaries of shap's:
    a list of those of each output, or one list where leaves have a value of every output; and the
    thresholds of each column."""
    from safetensors.numpy import load_file

    held = load_file(path)
    _, features, outputs, strict, vector = (int(number) for number in held["header"])
    is_split = np.unpackbits(held["node.is_split"], bitorder="little").astype(bool)
    threshold = held["split.threshold"]
    if "split.threshold_list" in held:
        threshold = held["split.threshold_list"][threshold]
    values = held["leaf.value"].reshape(-1, outputs if vector else 1)
    output = np.zeros(len(held["tree.nodes"]), int) if vector else held["tree.output"]
    split = leaf = start = 0
    found = [[] for _ in range(1 if vector else outputs)]
    for size, at_output in zip(held["tree.nodes"].astype(int), output):
        inner = is_split[start:start + size]
        start += size
        here = inner.sum()
        left = np.full(size, -1)
        left[inner] = 2 * np.arange(here) + 1
        feature = np.full(size, -2)
        feature[inner] = held["split.feature"][split:split + here]
        cut = np.zeros(size)
        cut[inner] = threshold[split:split + here]
        if strict:  # shap's trees go left where a value equals the threshold.
            cut = np.nextafter(cut, -np.inf)
        value = np.zeros((size, values.shape[1]))
        value[~inner] = values[leaf:leaf + size - here]
        cover = np.zeros(size)
        cover[~inner] = held["leaf.cover"][leaf:leaf + size - here]
        for node in range(size)[::-1]:
            if inner[node]:
                cover[node] = cover[left[node]] + cover[left[node] + 1]
        split += here
        leaf += size - here
        found[at_output].append({
            "children_left": left, "children_right": np.where(inner, left + 1, -1),
            "children_default": left, "features": feature, "thresholds": cut, "values": value,
            "node_sample_weight": cover})
    return found, [np.unique(threshold[held["split.feature"] == f]) for f in range(features)]


def among_thresholds(all_cuts, count):
    """The rows of the bench of the forest: of every column one of its thresholds."""
    row = np.arange(count)[:, None]
    columns = []
    for f, cuts in enumerate(all_cuts):
        place = (row[:, 0] * 7919 + f * 104_729) % max(len(cuts), 1)
        columns.append(cuts[place] if len(cuts) else np.zeros(count))
    return np.stack(columns, 1).astype(np.float32)


def run(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def our_explanations(program):
    with tempfile.TemporaryDirectory() as folder:
        run([program, "run", "docs/performance/explainers.yaml", "--results", folder])
        (table,) = Path(folder).glob("*/costs.csv")
        with open(table) as file:
            return {(row["model"], row["explainer"]): float(row["ms_per_image"])
                    for row in csv.DictReader(file)}


def our_benches(package, benches, wanted):
    """Milliseconds of every criterion bench that the pattern chooses, by its id."""
    chosen = [part for bench in benches for part in ("--bench", bench)]
    since = time.time()
    run(["cargo", "bench", "-q", "-p", package, *chosen, "--", wanted])
    found = {}
    for described in (TARGET / "criterion").rglob("new/benchmark.json"):
        measured = described.with_name("sample.json")
        if measured.stat().st_mtime < since:
            continue
        name = json.loads(described.read_text())
        if not re.search(wanted, name["full_id"]):
            continue
        sample = json.loads(measured.read_text())
        each = [t / n / 1e6 for t, n in zip(sample["times"], sample["iters"])]
        per = (name.get("throughput") or {}).get("Elements", 1)
        found[name["full_id"]] = statistics.median(each) / per
    return found


def seconds(job):
    start = time.process_time()
    job()
    return time.process_time() - start


def measure(jobs, ours, rounds, title):
    """`ours` gives, in each round, a function from a job's name to milliseconds."""
    jobs = list(jobs)
    if not jobs:
        return
    for *_, job in jobs:
        with quiet():
            job()
    found = [[] for _ in jobs]
    for _ in range(rounds):
        of = ours()
        for kept, (name, _, count, job) in zip(found, jobs):
            with quiet():
                theirs = seconds(job) * 1e3 / count
            kept.append((of(name), theirs))
    print(f"\n### {title}\n")
    print("| | xbench, ms | other, ms | ratio | other |\n|---|---|---|---|---|")
    for kept, (name, what, *_) in zip(found, jobs):
        mine = statistics.median(own for own, _ in kept)
        other = statistics.median(theirs for _, theirs in kept)
        ratio = statistics.median(theirs / own for own, theirs in kept)
        print(f"| {name} | {mine:.3g} | {other:.3g} | {ratio:.3g} | {what} |", flush=True)


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), \
            contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", default="", help="jobs whose name fits this pattern")
    arguments.add_argument("--xbench", default=str(TARGET / "release/xbench"))
    arguments.add_argument("--parts", default="explanations,scores,trees")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    np.random.seed(0)
    torch.manual_seed(0)
    parts = given.parts.split(",")
    chosen = lambda jobs: [job for job in jobs if re.search(given.only, job[0])]
    for name in ["lenet", "cnn-gap"]:
        if "explanations" in parts:
            def explained():
                costs = our_explanations(given.xbench)
                return lambda job: costs[name, job]
            measure(chosen(explanations(name)), explained, given.rounds, f"explanations, {name}")
        if "scores" in parts:
            jobs = chosen(scores(name))
            wanted = f"{name}, gradient/({'|'.join(job[0] for job in jobs)})/"

            def scored():
                found = our_benches("xbench-run", ["scores"], wanted)
                return lambda job: sum(
                    cost for full, cost in found.items() if full.split("/")[1] == job)
            measure(jobs, scored, given.rounds, f"scores, {name}")
    if "trees" in parts:
        def treed():
            found = our_benches("xbench-explainers-trees", ["all_outputs"], "")
            return lambda job: found[f"Tree SHAP, all outputs/{job}"]
        measure(chosen(trees()), treed, given.rounds, "Tree SHAP")


if __name__ == "__main__":
    main()
