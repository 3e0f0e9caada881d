# SPDX-License-Identifier: Apache-2.0
"""The section of docs/validation.md about PCIe: payload rates of a link in runs of a whole drive, and published measurements explained."""
from validate_drives import FULL, shown

# Payload GB/s of one direction by TLP sizes alone (PCIe Base 6.x §2.2): memory writes at MPS 128, 256, 512, completions of as many bytes.
RATES = [
    ("Gen4 x4", 4, 4, (6.63, 7.20, 7.52), (6.81, 7.31, 7.58)),
    ("Gen5 x4", 5, 4, (13.27, 14.40, 15.05), (13.62, 14.61, 15.16)),
    ("Gen5 x8", 5, 8, (26.5, 28.8, 30.1), (27.3, 29.2, 30.3)),
    ("Gen5 x16", 5, 16, (53.1, 57.6, 60.2), (54.5, 58.5, 60.7)),
    ("Gen6 x4", 6, 4, (26.22, 27.76, 28.61), (26.97, 28.18, 28.82)),
    ("Gen6 x8", 6, 8, (52.4, 55.5, 57.2), (53.9, 56.4, 57.7)),
    ("Gen6 x16", 6, 16, (104.9, 111.1, 114.4), (107.9, 112.7, 115.3)),
]
WORK = ["--bs", "128k", "--iodepth", "16", "--runtime", "1ms"]


def sets(*settings):
    return [word for s in settings for word in ("--set", s)]


def link_of(v, arguments):
    return v.run(arguments)["statistics"]["drive0"]["link"]


def value(node):
    return node["value"] if "value" in node else node["busy_ps"]


def rate(v, generation, lanes, mps, write):
    """Data over the time the wire was busy, GB/s."""
    link = link_of(v, ["io", "--rw", "write" if write else "read", *WORK, *FULL,
                       *sets(f"pcie.generation={generation}", f"pcie.lanes={lanes}", f"pcie.mps={mps}B", f"pcie.completion_run={mps}B", "pcie.overhead=0",
                             "pcie.flit_overhead=0")])
    way = link["down" if write else "up"]
    return value(way["payload"]) / value(way["busy"]) * 1e3


def rate_table(v):
    text = ("\nPayload over busy time of the link, GB/s: reference / run. A read of the drive is memory writes of MPS bytes, a write completions of as many.\n\n"
            "| link | read, MPS 128 | 256 | 512 | write, 128 | 256 | 512 |\n|---|---|---|---|---|---|---|\n")
    worst = 0.0
    for name, generation, lanes, *references in RATES:
        cells = []
        for write in (False, True):
            for mps, reference in zip((128, 256, 512), references[write]):
                try:
                    mine = rate(v, generation, lanes, mps, write)
                    worst = max(worst, abs(mine / reference - 1))
                    cells.append(f"{reference:.2f} / {mine:.2f}")
                except v.NotRun as why:
                    cells.append(f"not run ({why})")
        text += f"| {name} | " + " | ".join(cells) + " |\n"
    if worst > 0.005:
        v.FAILED.append(True)
    text += (f"\nThe largest difference is {worst * 100:.2f} %" + (" (**more than 0.5 %**)" if worst > 0.005 else "") + ": commands and completions are in it. Command: "
             + shown(["io", "--rw", "read|write", *WORK, *FULL, *sets("pcie.generation=…", "pcie.lanes=…", "pcie.mps=…", "pcie.completion_run=…",
                                                                     "pcie.overhead=0", "pcie.flit_overhead=0")]).replace("|", "\\|") + "\n")
    return text


def received_rows(v):
    """All bytes over payload, as a counter at the receiver sees them, for hypotheses about the set-up."""
    text = ""
    published = "1.28 (57.8 / 45.2 GB/s), 4 and 8 KiB reads into a GPU, Gen5 x16"
    for mps in (128, 256):
        arguments = ["io", "--rw", "randread", "--bs", "4k", "--iodepth", "64", "--runtime", "2ms", *FULL,
                     *sets("pcie.generation=5", f"pcie.mps={mps}B", f"pcie.completion_run={mps}B")]
        try:
            up = link_of(v, arguments)["up"]
            payload, wire, tlps = (value(up[k]) for k in ("payload", "wire", "tlps"))
            headers = wire / payload
            dllp = (wire + 8 * tlps) / payload
            coded = dllp * 130 / 128
            text += v.row(f"bytes received per byte of data, MPS {mps}", published, f"TLPs {headers:.3f}; one DLLP with each {dllp:.3f}; with 130/128 {coded:.3f}",
                          f"{(coded / 1.28 - 1) * 100:+.1f} %", shown(arguments))
        except v.NotRun as why:
            text += v.row(f"bytes received per byte of data, MPS {mps}", published, f"not run ({why})", "", shown(arguments))
    return text


def small_rows(v):
    """Reads of 512 B: how many a link can carry, by what each puts on it."""
    text = ""
    for name, generation, lanes, reference in [("Gen5 x4", 5, 4, 25), ("Gen6 x4", 6, 4, 50), ("Gen6 x16", 6, 16, 199)]:
        arguments = ["io", "--rw", "randread", "--bs", "512", "--iodepth", "64", "--numjobs", "4", "--runtime", "10ms", *FULL,
                     *sets("nvme.lba=512B", f"pcie.generation={generation}", f"pcie.lanes={lanes}", "pcie.overhead=0", "pcie.flit_overhead=0")]
        what, printed = f"512 B reads that {name} can carry, M/s", f"{reference} (bytes per I/O over the rate)"
        try:
            result = v.run(arguments)
            up = result["statistics"]["drive0"]["link"]["up"]
            per_io = value(up["busy"]) / result["read"]["total_ios"]
            text += v.row(what, printed, f"{1e6 / per_io:.1f}", f"{(1e6 / per_io / reference - 1) * 100:+.1f} %", shown(arguments))
        except (v.NotRun, KeyError) as why:
            text += v.row(what, printed, f"not run ({why})", "", shown(arguments))
    return text


def pcie(v):
    text = "\n## PCIe in runs of a drive\n" + rate_table(v)
    text += "\nPublished measurements, and what they say about their set-up:\n" + v.head() + received_rows(v) + small_rows(v)
    text += ("\nOf what a GPU received from drives that read into it (AISIO's pcie_saturation notes), 28 % were not data. Headers at MPS 256 explain 9 %, at MPS 128 19 %; the rest fits one DLLP\n"
             "with each TLP and the line code. That it was MPS 128 is therefore likely, not known: the counter's definition is not published.\n")
    return text
