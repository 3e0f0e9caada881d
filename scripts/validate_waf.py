# SPDX-License-Identifier: Apache-2.0
"""Write amplification against published analysis: the section of docs/validation.md, and by itself a table on the terminal.

FIFO, uniform     WAF = 1 / (1 - p), u = (p - 1) / ln p: p the share of a superblock still valid when its turn comes (Robinson 1996;
                  Desnoyers, SYSTOR'12; in Lambert's W: a / (a + W0(-a e^-a)), a = 1 / u).
Greedy, uniform   mean-field fixed point for b units per superblock (Bux, Iliadis, Performance Evaluation 67, 2010; Desnoyers, SYSTOR'12;
                  Van Houdt, SIGMETRICS'13): no superblock stays below m valid units, those that reach m - 1 are collected at once, and the
                  rest is collected at m. With f the flow from m to m - 1: H(b) - H(m) + f / m = (b - m + f) / (u b), WAF = b / (b - m + f).
FIFO, hot/cold    all writes in one log of length T host writes per turn: a class with the share r of writes and n units appends r T / (1 - e^(-r T / n))
                  units per turn, together the raw size (Desnoyers, ACM ToS 10(2), 2014); WAF = raw / T.
                  Every superblock is copied when its turn comes; the model leaves wholly valid ones where they are, which small superblocks
                  of cold data often are (64 units, u = 0.90, 90/10: 15 % less). Hence superblocks of 256 units.
Separated, greedy the victims of both classes are equally valid, so each class is a drive at the same utilisation, and the sum amplifies as
                  uniform writes do: separation alone gains nothing over them, only over mixed classes (Desnoyers, ACM ToS 2014).
Separated, least  each class a drive of its own, the spare space divided so that the sum is least (the same): what a policy that divides the
                  spare space could reach, for FIFO and large superblocks. Greedy does not divide it; no tolerance.
"""
import functools
import json
import math
import subprocess
import sys


def bisect(function, low, high):
    """The root of a growing function."""
    for _ in range(200):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def fifo(u):
    p = bisect(lambda x: (x - 1) / math.log(x) - u, 1e-12, 1 - 1e-12)
    return 1 / (1 - p)


def fifo_lambert(u):
    """The same through Lambert's W (Newton), as a check of the two forms against each other."""
    a = 1 / u
    target = -a * math.exp(-a)
    w = -0.5
    for _ in range(200):
        w -= (w * math.exp(w) - target) / (math.exp(w) * (w + 1))
    return a / (a + w)


def greedy(u, b):
    harmonic = [0.0]
    for k in range(1, b + 1):
        harmonic.append(harmonic[-1] + 1 / k)
    for m in range(1, b + 1):
        # linear in f: H(b) - H(m) + f / m = (b - m + f) / (u b)
        slope = 1 / m - 1 / (u * b)
        if slope == 0:
            continue
        f = ((b - m) / (u * b) - harmonic[b] + harmonic[m]) / slope
        if -1e-12 <= f <= 1 + 1e-12 and b - m + f > 1e-9 and m < b:
            return b / (b - m + f)
    raise ValueError("no fixed point")


def fifo_classes(u, classes):
    """classes: (share of units, share of writes)."""
    def appended(turn):  # per logical unit
        return sum(r * turn / -math.expm1(-r * turn / n) for n, r in classes)
    turn = bisect(lambda t: appended(t) - 1 / u, 1e-9, 1 / u)
    return 1 / u / turn


def separated(u, classes):
    (n1, r1), (n2, r2) = classes
    spare = 1 / u - 1
    def total(share):
        return r1 * fifo(n1 / (n1 + spare * share)) + r2 * fifo(n2 / (n2 + spare * (1 - share)))
    low, high = 1e-3, 1 - 1e-3
    for _ in range(200):  # golden section: one minimum
        a, b = high - (high - low) * 0.6180339887498949, low + (high - low) * 0.6180339887498949
        if total(a) < total(b):
            high = b
        else:
            low = a
    return total((low + high) / 2)


@functools.cache
def run(program, arguments):
    done = subprocess.run([program, "waf", "--json", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)


def measure(program, arguments):
    result = run(program, tuple(arguments))
    if not isinstance(result.get("waf"), float):
        raise RuntimeError("nothing was written while counting")
    return result


def cases():
    """(what, arguments, reference as a function of the run, tolerance or None)"""
    for percent in range(70, 100, 5):
        u = ["--utilisation", f"0.{percent}"]
        yield f"FIFO, uniform, u = 0.{percent}", [*u, "--policy", "fifo"], lambda r: fifo(r["utilisation"]), 0.03
        yield f"greedy, uniform, u = 0.{percent}", [*u, "--policy", "greedy"], lambda r: greedy(r["utilisation"], r["units_per_superblock"]), 0.03
    for data, writes in [(20, 80), (10, 90)]:
        classes = [(data / 100, writes / 100), (1 - data / 100, 1 - writes / 100)]
        for percent in (70, 80, 90):
            yield (f"FIFO, {writes} % of writes to {data} % of the data, u = 0.{percent}",
                   ["--utilisation", f"0.{percent}", "--policy", "fifo", "--hot-data", str(data), "--hot-writes", str(writes), "--warm-up", "15",
                    "--units", "256", "--superblocks", "1024"],
                   lambda r, c=classes: fifo_classes(r["utilisation"], c), 0.03)
        isolated = ["--utilisation", "0.80", "--hot-data", str(data), "--hot-writes", str(writes), "--tagged", "--isolation", "persistent",
                    "--warm-up", "15"]
        what = f"greedy, {writes} % to {data} %, u = 0.80, a handle per class, persistently isolated"
        yield f"{what}; reference: as uniform", isolated, lambda r: greedy(r["utilisation"], r["units_per_superblock"]), 0.03
        yield f"{what}; reference: the least of separate FIFO drives", isolated, lambda r, c=classes: separated(r["utilisation"], c), None


def rows(program, row, failed):
    text = ""
    for what, arguments, reference, tolerance in cases():
        command = "`flashpath waf " + " ".join(arguments) + "`"
        try:
            result = measure(program, arguments)
        except (OSError, RuntimeError) as problem:
            text += row(what, "", f"not run: {problem}", "", command)
            failed.append(True)
            continue
        expected = reference(result)
        difference = result["waf"] / expected - 1
        verdict = f"{difference * 100:+.1f} %"
        if tolerance is not None and abs(difference) > tolerance:
            failed.append(True)
            verdict += f" (**more than {tolerance * 100:.0f} %**)"
        text += row(what, f"{expected:.3f}", f"{result['waf']:.3f}", verdict, command)
    return text


def self_check():
    """The two forms of FIFO's result agree, greedy tends to it for large superblocks, and one class is uniform."""
    for u in (0.7, 0.8, 0.9, 0.95):
        assert abs(fifo(u) - fifo_lambert(u)) < 1e-6, u
        assert abs(greedy(u, 65536) / fifo(u) - 1) < 1e-3, u
        assert greedy(u, 32) < greedy(u, 256) < fifo(u) * 1.0001, u
        assert abs(fifo_classes(u, [(0.5, 0.5), (0.5, 0.5)]) - fifo(u)) < 1e-6, u


if __name__ == "__main__":
    self_check()
    bad = []
    print(rows(sys.argv[1] if len(sys.argv) > 1 else "build/release/flashpath", lambda *c: "| " + " | ".join(c) + " |\n", bad), end="")
    sys.exit(1 if bad else 0)
