#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a request log in Mooncake's format (traces/FORMAT.md) out of nothing but a seed.

It has the statistics of the published conversation log (FAST'25) where a short sample can have them:

  published                                         here
  12,031 requests in 3,537 s, 3.4 per second        300 in 240 s: 1.25 per second, to stay small
  stamps on a 3 s grid                              the same
  input p50 6,909, mean 12,035, 891 to 126,195      lognormal of that median and mean, within these bounds
  output p50 350, mean 343, at most 2,000           lognormal, same bound
  block 0 in every request (the system prompt)      the same
  38.7 % of requests continue a conversation        the same share; the prompt is the last one, its answer, and new text
  infinite cache hits 36.6 % of the blocks          about the same: see --check

A prompt of n tokens has ceil(n / 512) ids. A continuation shares the full blocks of the prompt before it; its
partial last block got other content, hence another id. Same seed, same bytes, on every Python from 3.6.
"""
import argparse
import math
import sys

BLOCK = 512
GRID_MS = 3000
MEDIAN_INPUT, MEAN_INPUT = 6909, 12035
SHORTEST, LONGEST = 891, 126195
MEDIAN_OUTPUT, LONGEST_OUTPUT = 300, 2000
CONTINUES = 0.44  # some tries find no conversation that is ready
THINK_S = 12.0    # nobody answers faster


class SplitMix:
    """SplitMix64: integers only, the same everywhere (the random module promises less)."""

    def __init__(self, seed):
        self.state = seed & 0xFFFFFFFFFFFFFFFF

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        return z ^ (z >> 31)

    def unit(self):
        return (self.next() >> 11) * 2.0 ** -53

    def below(self, bound):
        return (self.next() * bound) >> 64

    def normal(self):  # twelve uniforms: no transcendental function, so no last digit to disagree on
        return sum(self.unit() for _ in range(12)) - 6.0


def lognormal(random, median, sigma, low, high):
    return max(low, min(high, int(median * math.exp(sigma * random.normal()))))


def make(requests, seconds, seed):
    random = SplitMix(seed)
    sigma_input = math.sqrt(2.0 * math.log(MEAN_INPUT / MEDIAN_INPUT))
    times = sorted(random.unit() * seconds for _ in range(requests))
    next_id = 1
    open_talks = []  # [ready at, input, output, ids]
    lines = []
    for t in times:
        stamp = int(t * 1000.0) // GRID_MS * GRID_MS
        output = lognormal(random, MEDIAN_OUTPUT, 0.7, 1, LONGEST_OUTPUT)
        ready = [talk for talk in open_talks if talk[0] <= t]
        talk = None
        if random.unit() < CONTINUES and ready:
            talk = ready[random.below(len(ready))]
            length = talk[1] + talk[2] + lognormal(random, 250, 1.2, 10, 20000)
            if length > LONGEST:
                talk = None
        if talk is not None:
            ids = talk[3][:talk[1] // BLOCK]
        else:
            length = lognormal(random, MEDIAN_INPUT, sigma_input, SHORTEST, LONGEST)
            ids = [0]
            talk = [0.0, 0, 0, []]
            open_talks.append(talk)
        while len(ids) < (length + BLOCK - 1) // BLOCK:
            ids.append(next_id)
            next_id += 1
        talk[:] = [t + THINK_S + output * 0.03, length, output, ids]
        lines.append('{"timestamp": %d, "input_length": %d, "output_length": %d, "hash_ids": %s}\n' % (stamp, length, output, ids))
    return lines


def check(lines):
    import json
    seen, hits, blocks, tokens, continued = set(), 0, 0, [], 0
    for line in lines:
        r = json.loads(line)
        lead = 0
        while lead < len(r["hash_ids"]) and r["hash_ids"][lead] in seen:
            lead += 1
        seen.update(r["hash_ids"])
        hits += lead
        continued += lead > 1
        blocks += len(r["hash_ids"])
        tokens.append(r["input_length"])
    tokens.sort()
    print("%d requests, %d blocks, infinite cache hits %.1f %%, %.1f %% continue, input p50 %d mean %d, %d bytes"
          % (len(lines), blocks, 100.0 * hits / blocks, 100.0 * continued / len(lines), tokens[len(tokens) // 2], sum(tokens) // len(tokens),
             sum(map(len, lines))), file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description="makes a request log in Mooncake's format")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", default="-", help="file to write, - for standard output")
    parser.add_argument("--check", action="store_true", help="print statistics to standard error")
    args = parser.parse_args()
    lines = make(args.requests, args.seconds, args.seed)
    if args.out == "-":
        sys.stdout.write("".join(lines))
    else:
        with open(args.out, "w", newline="\n") as file:
            file.write("".join(lines))
    if args.check:
        check(lines)


if __name__ == "__main__":
    main()
