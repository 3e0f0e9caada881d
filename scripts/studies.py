#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs studies: a question, some runs, a table, a picture and what it says. Every number in docs/studies comes from here.

    scripts/studies.sh                  all studies into docs/studies
    scripts/studies.sh pcie-efficiency  one of them
    scripts/studies.sh --quick          shorter runs, every claim checked, nothing written (a test)
    scripts/studies.sh --list           what there is

A study is a file in scripts/studies (TOML):

    title, question       text
    command = [...]       what every run has in common: a command of flashpath and its options
    quick = [...]         options that --quick adds (the last of an option given twice counts)
    [[axes]]              name; points = [{label, args = [...], quick = false}]; the runs are all combinations.
                          A point with quick = false is left out by --quick.
    [[columns]]           name, value (a path in result.json, or an expression of r("path")), scale = 1, digits = 2
    [chart]               column, x (an axis), log = false: a line per combination of the other axes
    [[claims]]            text, with {expressions} printed by digits, and holds: an expression that must be true.
                          In both, at("column", "label", ...) is a number of the table.
    notes = "..."         a closing paragraph: what the study leaves out

Exit code: 1 if a claim does not hold or a run fails, 2 for a bad study.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib

import chart

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STUDIES = os.path.join(ROOT, "scripts/studies")
PAGES = os.path.join(ROOT, "docs/studies")


class Bad(Exception):
    """The study's file or one of its runs is wrong."""


def once(arguments):
    """The arguments with the last value of each repeated option, --set apart."""
    out, seen, i = [], {}, 0
    while i < len(arguments):
        word = arguments[i]
        if word.startswith("--") and word != "--set" and i + 1 < len(arguments) and not arguments[i + 1].startswith("--"):
            if word in seen:
                out[seen[word] + 1] = arguments[i + 1]
            else:
                seen[word] = len(out)
                out += [word, arguments[i + 1]]
            i += 2
        else:
            out.append(word)
            i += 1
    return out


def run(program, arguments):
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([program, *arguments, "--progress", "none", "--out", out], cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise Bad(f"exit code {done.returncode} of flashpath {' '.join(arguments)}:\n{done.stderr.strip()}")
        with open(os.path.join(out, "result.json"), encoding="utf-8") as file:
            return json.load(file)


def look_up(result, path):
    """`path` in result.json; names with dots in them are found too (utilisation.drive0.link.up.busy)."""
    def search(node, rest):
        if not rest:
            return node.get("value", node) if isinstance(node, dict) else node
        if isinstance(node, dict):
            for n in range(len(rest), 0, -1):
                key = ".".join(rest[:n])
                if key in node:
                    return search(node[key], rest[n:])
        raise Bad(f"no {path} in result.json")
    return search(result, path.split("."))


def value_of(column, result):
    text = column["value"]
    number = eval(text, {"r": lambda path: look_up(result, path)}) if "r(" in text else look_up(result, text)  # noqa: S307 (our own file)
    if not isinstance(number, (int, float)):
        raise Bad(f"column {column['name']}: {text} is {number!r}, not a number")
    return number * column.get("scale", 1)


class Study:
    def __init__(self, name, quick):
        self.name = name
        with open(os.path.join(STUDIES, name + ".toml"), "rb") as file:
            self.text = tomllib.load(file)
        known = {"title", "question", "command", "quick", "axes", "columns", "chart", "claims", "notes"}
        unknown = sorted(set(self.text) - known)
        missing = sorted({"title", "question", "command", "axes", "columns", "claims"} - set(self.text))
        if unknown or missing:
            raise Bad(f"scripts/studies/{name}.toml: unknown {unknown}, missing {missing}; known are {sorted(known)}")
        self.quick = quick
        axes = [[p for p in axis["points"] if not quick or p.get("quick", True)] for axis in self.text["axes"]]
        self.points = list(itertools.product(*axes))
        self.table = {}

    def arguments(self, point):
        words = list(self.text["command"])
        for p in point:
            words += p["args"]
        return once(words + (self.text.get("quick", []) if self.quick else []))

    def key(self, point):
        return tuple(p["label"] for p in point)

    def measure(self, pool, program):
        results = list(pool.map(lambda point: run(program, self.arguments(point)), self.points))
        for point, result in zip(self.points, results):
            for column in self.text["columns"]:
                self.table[column["name"], self.key(point)] = value_of(column, result)

    def at(self, column, *labels):
        if (column, labels) not in self.table:
            raise KeyError((column, *labels))
        return self.table[column, labels]

    def claims(self):
        """The sentences, and those that do not hold. A claim about a point that --quick leaves out is not looked at."""
        sentences, broken = [], []
        for claim in self.text["claims"]:
            names = {"at": self.at, "abs": abs, "min": min, "max": max}
            try:
                holds = bool(eval(claim["holds"], names))  # noqa: S307 (our own file)
                text = re.sub(r"\{([^{}]+?)(?::(\d))?\}", lambda m: f"{eval(m[1], names):,.{int(m[2] or 2)}f}", claim["text"])  # noqa: S307
            except KeyError as what:
                if self.quick:
                    continue
                raise Bad(f"{self.name}: a claim names {what}, which the table does not have") from None
            sentences.append(text)
            if not holds:
                broken.append(f"{text}\n    does not hold: {claim['holds']}")
        return sentences, broken

    def picture(self):
        spec = self.text["chart"]
        names = [axis["name"] for axis in self.text["axes"]]
        if spec["x"] not in names:
            raise Bad(f"{self.name}: chart.x = {spec['x']!r} is no axis; axes are {names}")
        where = names.index(spec["x"])
        series = {}
        for point in self.points:
            key = self.key(point)
            label = ", ".join(part for i, part in enumerate(key) if i != where)
            series.setdefault(label, []).append((key[where], self.table[spec["column"], key]))
        return chart.lines(self.text["title"], spec["x"], spec["column"], series, spec.get("log", False))

    def page(self):
        t = self.text
        text = f"# {t['title']}\n\n{t['question']}\n\n"
        sentences, _ = self.claims()
        text += " ".join(sentences) + "\n\n"
        if "chart" in t:
            text += f"![{t['title']}]({self.name}.svg)\n\n"
        names = [axis["name"] for axis in t["axes"]]
        text += "| " + " | ".join(names + [c["name"] for c in t["columns"]]) + " |\n"
        text += "|" + "---|" * len(names) + "---:|" * len(t["columns"]) + "\n"
        for point in self.points:
            cells = [f"{self.at(c['name'], *self.key(point)):,.{c.get('digits', 2)}f}" for c in t["columns"]]
            text += "| " + " | ".join([*self.key(point), *cells]) + " |\n"
        if "notes" in t:
            text += "\n" + t["notes"].strip() + "\n"
        example = " ".join(f"'{w}'" if re.search(r"[\s;,*]", w) else w for w in self.arguments(self.points[0]))
        text += f"\nMade by `scripts/studies.sh {self.name}` from [its file](../../scripts/studies/{self.name}.toml). The first row is\n\n```\nflashpath {example}\n```\n"
        return text


def write(path, text):
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


def index(names):
    lines = ["# Studies\n", "Questions answered by runs; each page is made by `scripts/studies.sh NAME`, numbers, sentences and picture.\n"]
    for name in names:
        study = Study(name, False)
        lines.append(f"- [{study.text['title']}]({name}.md): {study.text['question']}")
    return "\n".join(lines) + "\n"


def main():
    everything = sorted(f[:-5] for f in os.listdir(STUDIES) if f.endswith(".toml"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="studies to run; default: all")
    parser.add_argument("--quick", action="store_true", help="shorter runs, claims checked, nothing written")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--program", default=os.path.join(ROOT, "build/release/flashpath"), help="the flashpath to run")
    options = parser.parse_args()
    if options.list:
        print("\n".join(everything))
        return 0
    unknown = [n for n in options.names if n not in everything]
    if unknown:
        print(f"no study {', '.join(unknown)}; there are: {', '.join(everything)}", file=sys.stderr)
        return 2
    if not os.path.exists(options.program):
        print(f"{options.program} is not there: scripts/build.sh builds it", file=sys.stderr)
        return 2
    failed = False
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for name in options.names or everything:
            try:
                study = Study(name, options.quick)
                print(f"{name}: {len(study.points)} runs", flush=True)
                study.measure(pool, options.program)
                sentences, broken = study.claims()
                if not sentences:
                    raise Bad(f"{name}: no claim was looked at")
                for what in broken:
                    failed = True
                    print(f"  BROKEN: {what}", file=sys.stderr)
                if not options.quick:
                    write(os.path.join(PAGES, name + ".md"), study.page())
                    if "chart" in study.text:
                        write(os.path.join(PAGES, name + ".svg"), study.picture())
            except Bad as what:
                failed = True
                print(f"  FAILED: {what}", file=sys.stderr)
    if not options.quick:
        write(os.path.join(PAGES, "README.md"), index(everything))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
