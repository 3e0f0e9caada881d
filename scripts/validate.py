#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares flashpath with references and writes docs/validation.md. Every measured number there comes from a run of this script.

    scripts/validate.py                 what takes a minute or two
    scripts/validate.py --long          also the whole-hour replay and, if need be, a build with clang
    scripts/validate.py --logs DIR      where the published logs are (traces/sources.toml); default: $FLASHPATH_LOGS
    scripts/validate.py --requests DIR  where the published request streams of the other simulator are; default: $FLASHPATH_REQUESTS
    scripts/validate.py --print         to the terminal, not to docs/validation.md

What could not be run (no log, no test program, no clang build) says "not run" and why. Exit code: 1 if a comparison that must be exact failed, a data-sheet figure is off by more than 15 %, or a run broke a law.
"""
import argparse
import collections
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile

import validate_waf
import validate_drives
import validate_pcie

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build/release")
PROGRAM = os.path.join(BUILD, "flashpath")
CLANG = os.path.join(ROOT, "build/clang/flashpath")
SAMPLE = "traces/samples/conversation_small.jsonl"
FAILED = []


class NotRun(Exception):
    pass


def run(arguments, program=None, with_requests=False):
    """Runs flashpath in a directory of its own and gives back its result.json, and requests.csv if asked for."""
    program = program or PROGRAM
    if not os.path.exists(program):
        raise NotRun(os.path.basename(os.path.dirname(program)) + "/" + os.path.basename(program) + " is not built")
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([program, *arguments, "--progress", "none", "--out", out], cwd=ROOT, capture_output=True, text=True)
        if done.returncode not in (0, 2):
            FAILED.append(True)  # a broken law, a stall or a crash is not "not run"
        if done.returncode != 0:
            raise NotRun(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
        with open(os.path.join(out, "result.json"), encoding="utf-8") as file:
            result = json.load(file)
        if not with_requests:
            return result
        with open(os.path.join(out, "requests.csv"), encoding="utf-8") as file:
            return result, list(csv.DictReader(file))


def row(what, reference, measured, difference, command):
    return f"| {what} | {reference} | {measured} | {difference} | {command} |\n"


def head(first="what"):
    return f"\n| {first} | reference | measured | difference | command |\n|---|---|---|---|---|\n"


def exact(same):
    if not same:
        FAILED.append(True)
    return "none" if same else "**differs**"


# ---- tests of the suite -------------------------------------------------------------------------

def test_row(what, reference, pattern):
    """One line for one or more tests, run by ctest. `pattern` is an exact name, or several joined by |."""
    command = f"`ctest --test-dir build/release -R '{pattern}'`"
    listed = subprocess.run(["ctest", "--test-dir", BUILD, "-R", f"({pattern})$"], cwd=ROOT, capture_output=True, text=True).stdout
    lines = listed.splitlines()
    passed = sum("   Passed" in line for line in lines)
    failed = sum("***" in line and "***Skipped" not in line and "Not Run" not in line for line in lines)
    skipped = sum("***Skipped" in line for line in lines)
    if failed:
        FAILED.append(True)
        return row(what, reference, f"{failed} failed", "**differs**", command.replace("|", "\\|"))
    if passed == 0:
        return row(what, reference, "not run (skipped)" if skipped else "not run (not built)", "", command.replace("|", "\\|"))
    text = f"{passed} passed" + (f", {skipped} skipped" if skipped else "")
    return row(what, reference, text, "within the stated bound", command.replace("|", "\\|"))


FULL = ["--set", "ftl.precondition=sequential"]

# ---- energy -------------------------------------------------------------------------------------

def energy_row():
    """Bottom-up, from the example's coefficients (almost all assumed), against a data sheet's watts over its bandwidth."""
    arguments = ["io", *validate_drives.WORK[0][2], *FULL] + ["--energy", "tlm/energy/example.toml"]
    command = "`flashpath " + " ".join(arguments) + "`"
    reference = 18 / 14.0
    what, printed = "energy of a drive, sequential read, per byte", f"{reference:.2f} nJ/B (18 W at 14.0 GB/s)"
    try:
        value = run(arguments)["energy"]["drives_j_per_host_byte"] * 1e9
        return row(what, printed, f"{value:.2f} nJ/B", f"{(value / reference - 1) * 100:+.1f} %", command)
    except NotRun as why:
        return row(what, printed, f"not run ({why})", "", command)


# ---- hit ratios ---------------------------------------------------------------------------------

CAPACITIES = [1000, 10000, 30000, 50000, 100000, 0]


def read_log(path):
    if path.endswith(".zst"):
        data = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    else:
        with open(path, "rb") as file:
            data = file.read()
    return [(r["input_length"], r["hash_ids"]) for r in map(json.loads, data.splitlines())]


def reference_hits(log, capacity, tail_first):
    """The same question answered by other code: look the whole request up, then touch its ids one by one."""
    cache = collections.OrderedDict()
    blocks = hits = lead = tokens = lead_tokens = 0
    for length, ids in log:
        found = [i in cache for i in ids]
        run_length = next((n for n, hit in enumerate(found) if not hit), len(ids))
        blocks, hits, lead = blocks + len(ids), hits + sum(found), lead + run_length
        tokens, lead_tokens = tokens + length, lead_tokens + min(512 * run_length, length)
        for i in reversed(ids) if tail_first else ids:
            cache[i] = None
            cache.move_to_end(i)
            if capacity and len(cache) > capacity:
                cache.popitem(last=False)
    return hits / blocks, lead / blocks, lead_tokens / tokens


def hit_rows(logs):
    text = ""
    for name in ["conversation_small", "mooncake_conversation", "mooncake_synthetic"]:
        path = os.path.join(ROOT, SAMPLE) if name == "conversation_small" else os.path.join(logs or "", name + ".jsonl.zst")
        shown = SAMPLE if name == "conversation_small" else name + ".jsonl.zst"
        for order in ["tail-first", "head-first"]:
            command = f"`flashpath hits {shown} --order {order}`"
            if (name != "conversation_small" and not logs) or not os.path.exists(path):
                text += row(f"{name}, {order}", "", "not run (the log is not on this machine)", "", command)
                continue
            log = read_log(path)
            capacities = [a for c in CAPACITIES for a in ("--capacity", str(c))]
            out = subprocess.run([PROGRAM, "hits", path, "--order", order, "--json", *capacities], capture_output=True, text=True, check=True).stdout
            worst, last = 0.0, None
            for mine, capacity in zip(json.loads(out), CAPACITIES):
                theirs = reference_hits(log, capacity, order == "tail-first")
                last = (mine["block_level"], mine["strict_prefix"], mine["token_weighted"])
                worst = max(worst, *(abs(a - b) for a, b in zip(last, theirs)))
            text += row(f"{name}, {order}: 6 capacities × 3 ratios", f"second implementation; infinite: {theirs[0]:.6f}", f"infinite: {last[0]:.6f}",
                        exact(worst < 1e-15) if worst < 1e-15 else f"{exact(False)} by {worst:.2g}", command)
    return text


def replay_hit_row():
    arguments = ["replay", SAMPLE, "--model", "llama-3.1-8b"]
    command = "`flashpath " + " ".join(arguments) + "`"
    try:
        result = run(arguments)
        total = sum(t["hit_ratio_blocks"] for t in result["tiers"].values())
        bound = reference_hits(read_log(os.path.join(ROOT, SAMPLE)), 0, True)[1]
        if total > bound:
            FAILED.append(True)
        return row("replay of the sample: blocks hit in all tiers", f"at most {bound:.5f}: one infinite cache, no time", f"{total:.5f}",
                   f"{(total - bound) * 100:+.3f} points", command)
    except NotRun as why:
        return row("replay of the sample: blocks hit in all tiers", "", f"not run ({why})", "", command)


# ---- the same result ----------------------------------------------------------------------------

SAME = [["io", "--rw", "randrw", "--bs", "4k", "--iodepth", "32", "--numjobs", "4", "--runtime", "5ms", *FULL],
        ["replay", SAMPLE, "--limit", "12", "--set", "serving.g1=0B", "--set", "serving.g2=0B"]]


def content(result, leave=()):
    """All of a result but the cost of the run and what was changed on purpose."""
    result = dict(result)
    del result["host"]
    result["parameters"] = {k: v for k, v in result["parameters"].items() if k not in leave}
    return json.dumps(result, sort_keys=True)


def same_rows(build_clang):
    text = ""
    if build_clang and not os.path.exists(CLANG):
        subprocess.run(["scripts/build.sh", "clang", "--target", "flashpath"], cwd=ROOT, check=False)
    cases = [("run twice", PROGRAM, [], ()),
             ("lock-step with the SystemC kernel, and 1 ms ahead of it", PROGRAM, ["--set", "run_ahead=0s"], ("run_ahead",)),
             ("gcc and clang", CLANG, [], ())]
    for what, program, more, leave in cases:
        for arguments in SAME:
            kind = arguments[0]
            shown = "`flashpath " + " ".join(arguments + more) + "`" + (" built with `scripts/build.sh clang`" if program == CLANG else "")
            try:
                first, second = run(arguments), run(arguments + more, program)
                if program == CLANG and first["parameters"] != second["parameters"]:
                    raise NotRun("the two programs are not built from the same sources")
                same = content(first, leave) == content(second, leave)
                text += row(f"{what}: {kind}", "the same result.json but for `host`", "the same" if same else "not the same", exact(same), shown)
            except NotRun as why:
                text += row(f"{what}: {kind}", "the same result.json but for `host`", f"not run ({why})", "", shown)
    return text


def verify_row():
    arguments = ["io", "--rw", "randrw", "--bs", "4k", "--size", "4MiB", "--runtime", "200ms", "--verify", "--set", "data=true"]
    command = "`flashpath " + " ".join(arguments) + "`"
    try:
        result = run(arguments)
        return row("blocks read back and compared", "0 wrong", f"{result['verified_blocks']} compared, {result['verify_errors']} wrong",
                   exact(result["verify_errors"] == 0 and result["verified_blocks"] > 0), command)
    except NotRun as why:
        return row("blocks read back and compared", "0 wrong", f"not run ({why})", "", command)


def hour_figures(what, reference, result, command):
    """The line of a whole-hour result; it must be complete, with no law broken."""
    if not result["complete"] or result["laws"]["broken"]:
        FAILED.append(True)
    cpu, host, flash = result["host"]["cpu_s"], result["host"], result["flash"]
    ttft = result["statistics"]["serving"]["ttft"]["mean_ns"] / 1e6
    return row(what, reference, f"{cpu:.0f} s for {result['simulated_s']:.0f} s simulated; {host['actions'] / 1e6:.0f} M events, "
               f"{host['flash_pages'] / 1e6:.0f} M flash pages, {host['flash_pages_per_cpu_s'] / 1e6:.2f} M per CPU s; {host['peak_rss_bytes'] / 1e9:.2f} GB; "
               f"{flash['host_read_bytes'] / 1e12:.2f} TB read, {flash['host_written_bytes'] / 1e12:.2f} TB written, WAF {flash['waf']:.3f}; "
               f"{result['laws']['checked']} laws hold; TTFT mean {ttft:.0f} ms", f"{(cpu / 1200 - 1) * 100:+.0f} %", command)


def long_row(logs, long, hour):
    arguments = ["replay", "mooncake_conversation.jsonl.zst", "--platform", "bf4-icms", "--model", "llama-3.1-70b", "--instances", "8",
                 "--set", "serving.g1=0B", "--set", "serving.g2=0B"]
    command = "`flashpath " + " ".join(arguments) + "`"
    what, reference = "whole hour, 12,031 requests, every die operation: CPU time", "1,200 s and 8 GB; room for 300 s and 4 GB"
    path = os.path.join(logs or "", arguments[1])
    if hour:
        with open(hour, encoding="utf-8") as file:
            return hour_figures(what, reference, json.load(file), command)
    if not long or not logs or not os.path.exists(path):
        return row(what, reference, "not run" + ("" if long else " (needs `--long`)"), "", command)
    try:
        return hour_figures(what, reference, run([arguments[0], path, *arguments[2:]]), command)
    except NotRun as why:
        return row(what, reference, f"not run ({why})", "", command)


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def main():
    global BUILD, PROGRAM, CLANG
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--logs", default=os.environ.get("FLASHPATH_LOGS"))
    parser.add_argument("--requests", default=os.environ.get("FLASHPATH_REQUESTS"), help="folder of the published request streams (*.csv.gz)")
    parser.add_argument("--build", default=BUILD, help="build directory (default: build/release)")
    parser.add_argument("--clang", default=CLANG, help="flashpath as built by clang (default: build/clang/flashpath)")
    parser.add_argument("--hour", metavar="FILE", help="result.json of the whole-hour replay, run before with the command of its line")
    parser.add_argument("--print", action="store_true", dest="to_terminal")
    options = parser.parse_args()
    BUILD, CLANG = os.path.abspath(options.build), os.path.abspath(options.clang)
    PROGRAM = os.path.join(BUILD, "flashpath")
    if not os.path.exists(PROGRAM):
        sys.exit(f"validate: {PROGRAM} is not there; run scripts/build.sh")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout.strip() or "?"
    sources = subprocess.run(["git", "ls-files", "tlm/*.h", "tlm/*.cpp", "tlm/*.toml", "testbench/*.h", "testbench/*.cpp"], cwd=ROOT, capture_output=True, text=True)
    newest = max(os.path.getmtime(os.path.join(ROOT, f)) for f in sources.stdout.split() if "/tests/" not in f and os.path.exists(os.path.join(ROOT, f)))
    if newest > os.path.getmtime(PROGRAM):
        commit += " (the program is older than some of its sources)"
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.strip()

    text = "# Validation\n\n"
    text += ("Written by `scripts/validate.py`; do not edit. Every measured number is from a run of the command beside it; what was not run says so. `flashpath` is\n"
             "`build/release/flashpath`. Published logs are not part of the repository: [traces/sources.toml](../traces/sources.toml) says where they are.\n\n"
             f"This run: {version}, checkout {commit}, {processor()}.\n\n"
             "What agreement means here: a standard, a vector or a count must agree exactly. A data sheet is one drive measured on one host; the preset takes public\n"
             "figures of its class (most of them `assumed`, see `flashpath describe`), so agreement within some 10 % says that the parts fit together, not that the\n"
             "drive's insides are known.\n")
    text += "\n## Standards and vectors\n" + head()
    text += test_row("PCIe payload rates, Gen4 to Gen6, x4 to x16, MPS 128 to 512 (42 values), as arithmetic", "TLP sizes of PCIe Base 6.x; within 0.5 %",
                     "models.PcieWire.PublishedEfficiencies")
    text += test_row("the same rates, saturated runs", "within 0.5 %", "models.PcieLink.SaturatedRunsReachThePublishedRates")
    text += test_row("AES-256-XTS", "IEEE 1619-2018 Annex B, vector 10", "models.AesXts.Ieee1619Vector10")
    text += test_row("AES-256-XTS", "Wycheproof", "models.AesXts.Wycheproof")
    text += test_row("KV bytes per token of 14 language models", "model cards and config.json; exact", "serving.Models.kv_bytes_per_token_by_the_formula")
    text += test_row("bandwidth above which loading beats computing", "Mooncake, FAST'25, equation 2: 5.86 GB/s on 8 × A800, 18.6 GB/s on 8 × H800", "serving.Roofline.mooncake_equation_two")
    text += "\n## Closed forms\n\nOne command alone on the whole platform, each stage and the sum, exact to the picosecond ([timing.md](timing.md)).\n" + head()
    for what, test in [("4 KiB read", "OneRead4KiB"), ("128 KiB read", "OneRead128KiB"), ("4 KiB write", "OneWrite4KiB")]:
        text += test_row(what, "sum of the stages", "platform.PlatformLatency." + test)
    text += test_row("write amplification of random overwrites", "closed form (greedy bound)", "models.FtlModel.RandomOverwritesHaveTheClosedFormsWriteAmplification")
    text += "\n## Write amplification\n\nThe FTL alone over flash that takes no time; the analysis and its sources: `scripts/validate_waf.py`.\n" + head()
    text += validate_waf.rows(PROGRAM, row, FAILED)
    this = sys.modules[__name__]
    text += validate_pcie.pcie(this)
    text += validate_drives.simulator(this, options.requests)
    text += validate_drives.data_sheets(this)
    text += "\n## Energy\n" + head() + energy_row()
    text += "\nThe energy is a sum of assumed coefficients (`tlm/energy/example.toml`) against the printed power limit: the order of magnitude is what agrees.\n"
    text += "\n## Cache hits\n\nA second implementation of the same counting rules (`reference_hits` in the script) on the same log; no tolerance but 1e-15.\n" + head("log")
    text += hit_rows(options.logs)
    text += replay_hit_row()
    text += "\n## The same result, and the right bytes\n" + head() + same_rows(options.long) + verify_row()
    text += "\n## Speed\n" + head() + long_row(options.logs, options.long, options.hour)
    if options.to_terminal:
        print(text)
    else:
        with open(os.path.join(ROOT, "docs/validation.md"), "w", encoding="utf-8") as file:
            file.write(text)
        print("validate: wrote docs/validation.md")
    if FAILED:
        sys.exit("validate: a comparison that must be exact differs; see the table")


if __name__ == "__main__":
    main()
