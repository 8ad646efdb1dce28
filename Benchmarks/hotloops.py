#!/usr/bin/env python3
"""Counts what an operation of each hot loop costs, under callgrind, and compares it with what it may cost.

    Benchmarks/hotloops.py [NAME ...]       compare with HotLoops/thresholds.json; status 1 where a loop got worse
    Benchmarks/hotloops.py --update         take what is measured as the new thresholds
    Benchmarks/hotloops.py --functions 30 NAME     the functions that the instructions are spent in

Instructions, calls of malloc and its family, and calls of swift_retain and swift_release, of all threads, in user space.
They repeat almost exactly, however busy the machine is. `make hotloops` builds what this runs.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
THRESHOLDS = os.path.join(HERE, "HotLoops", "thresholds.json")

# The function before which callgrind writes down what it has counted: called before and behind the measured iterations.
MARK = "martlet_hotloops_mark"

ALLOCATORS = {"malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc"}
RETAINS = {"swift_retain", "swift_retain_n"}
RELEASES = {"swift_release", "swift_release_n"}

DEFAULT_RULES = {"instructions": 0.05, "allocations": 0.05, "better": 0.10}


class Failure(Exception):
    """Something that makes a measurement impossible, in one line."""


# MARK: Reading callgrind's files


class Profile:
    """One file of callgrind: instructions by function, and calls by caller and callee."""

    def __init__(self):
        self.instructions = {}
        self.calls = {}

    @property
    def total(self):
        return sum(self.instructions.values())

    def calls_of(self, names):
        """Calls from outside the family: realloc that calls malloc is one allocation."""
        return sum(
            count for (caller, callee), count in self.calls.items() if callee in names and caller not in names)


def bare(name):
    """Without what callgrind adds for recursion ('2) and the linker for versions (@@GLIBC_2.17)."""
    return re.sub(r"'\d+$", "", name).split("@", 1)[0]


def parse(lines):
    """Reads the format described in valgrind's manual, section "Callgrind Format Specification", with one event."""
    profile = Profile()
    names = {}
    summary = None

    def name(text):
        # Compressed: "(id) name" at first, "(id)" from then on. A file's and a function's ids are apart.
        match = re.match(r"\((\d+)\)\s*(.*)", text)
        if not match:
            return bare(text)
        if match.group(2):
            names[match.group(1)] = bare(match.group(2))
        if match.group(1) not in names:
            raise Failure(f"callgrind's file names no function {match.group(1)}")
        return names[match.group(1)]

    function = callee = None
    is_inclusive = False
    for line in lines:
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        if line[0].isdigit() or line[0] in "+-*":
            if is_inclusive:
                # What the callee took, which is counted where the callee is.
                is_inclusive = False
                continue
            columns = line.split()
            if len(columns) > 1:
                profile.instructions[function] = profile.instructions.get(function, 0) + int(columns[1])
        elif line.startswith("fn="):
            function = name(line[3:])
        elif line.startswith("cfn="):
            callee = name(line[4:])
        elif line.startswith("calls="):
            key = (function, callee)
            profile.calls[key] = profile.calls.get(key, 0) + int(line[6:].split()[0])
            is_inclusive = True
        elif line.startswith("events:") and line.split()[1:] != ["Ir"]:
            raise Failure("callgrind counted something else than instructions")
        elif line.startswith("summary:"):
            summary = int(line.split()[1])
    if summary is not None and summary != profile.total:
        raise Failure(f"callgrind counted {summary} instructions, its functions have {profile.total}")
    return profile


# MARK: Measuring


class Loop:
    def __init__(self, line):
        self.name, operations, iterations, self.operation = line.split("\t")
        self.operations = int(operations)
        self.iterations = int(iterations)


def list_loops(binary):
    output = subprocess.run([binary, "--list"], check=True, capture_output=True, text=True).stdout
    return [Loop(line) for line in output.splitlines()]


def without_debug_information(binary, folder):
    """A copy that keeps its symbols. Older valgrinds give up on Swift's debug information."""
    tool = shutil.which("objcopy") or shutil.which("llvm-objcopy")
    if not tool:
        raise Failure("objcopy is missing: it comes with the package binutils")
    copy = os.path.join(folder, "martlet-hotloops")
    subprocess.run([tool, "--strip-debug", binary, copy], check=True)
    return copy


def run(binary, loop, folder):
    """Runs a loop and returns the profile of its measured iterations."""
    folder = os.path.join(folder, loop.name)
    os.mkdir(folder)
    output = os.path.join(folder, "callgrind.out")
    command = [
        "valgrind", "--tool=callgrind", "--dump-line=no", f"--callgrind-out-file={output}", f"--dump-before={MARK}",
        binary, loop.name, str(loop.iterations),
    ]
    # Dictionaries in the same order, and functions bound, in every run.
    environment = dict(os.environ, SWIFT_DETERMINISTIC_HASHING="1", LD_BIND_NOW="1", TMPDIR=folder)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise Failure(f"{loop.name} did not end within five minutes")
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if not re.match(r"==\d+== *$", line)]
        raise Failure(f"{loop.name} ended with status {done.returncode}: " + "\n".join(said[-5:]))
    parts = sorted(name for name in os.listdir(folder) if name.startswith("callgrind.out."))
    if parts != ["callgrind.out.1", "callgrind.out.2"]:
        raise Failure(f"{loop.name}: callgrind wrote {len(parts)} parts instead of 2: is {MARK} called twice?")
    # The first is what came before the measured iterations, the one without a number what came behind.
    with open(os.path.join(folder, "callgrind.out.2"), encoding="utf-8", errors="replace") as file:
        return parse(file)


def counts(loop, profile):
    count = loop.iterations * loop.operations
    return {
        "instructions": round(profile.total / count, 1),
        "allocations": round(profile.calls_of(ALLOCATORS) / count, 3),
        "retains": round(profile.calls_of(RETAINS) / count, 2),
        "releases": round(profile.calls_of(RELEASES) / count, 2),
    }


# MARK: Comparing


def compare(found, threshold, rules):
    """What is wrong, and what may be noted, about a loop's counts: two lists of sentences."""
    wrong, notes = [], []
    if threshold is None:
        return ["has no threshold: run with --update"], notes
    rules = {**rules, **threshold.get("tolerance", {})}
    was, now = threshold["instructions"], found["instructions"]
    change = now / was - 1
    if change > rules["instructions"]:
        wrong.append(f"instructions {was:g} -> {now:g} ({change:+.1%}, allowed {rules['instructions']:+.0%})")
    elif change < -rules["better"]:
        notes.append(f"instructions {was:g} -> {now:g} ({change:+.1%}): the threshold can be lowered with --update")
    was, now = threshold["allocations"], found["allocations"]
    if now - was > rules["allocations"]:
        wrong.append(f"allocations {was:g} -> {now:g} (allowed +{rules['allocations']:g})")
    elif was - now > rules["allocations"]:
        notes.append(f"allocations {was:g} -> {now:g}: the threshold can be lowered with --update")
    return wrong, notes


def toolchain(binary):
    """What the counts depend on besides the sources."""
    version = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    found = re.search(r"Swift version (\S+)", version)
    return f"{platform.machine()}, Swift {found.group(1) if found else 'unknown'}"


def load_thresholds():
    with open(THRESHOLDS, encoding="utf-8") as file:
        thresholds = json.load(file)
    thresholds.setdefault("tolerance", DEFAULT_RULES)
    thresholds.setdefault("loops", {})
    return thresholds


def save_thresholds(thresholds, measured, everything, machine):
    """Takes over what was measured; a tolerance that a loop has for itself stays. Loops that are gone go."""
    loops = {} if everything else dict(thresholds["loops"])
    for name, found in measured.items():
        loops[name] = dict(found)
        own = thresholds["loops"].get(name, {}).get("tolerance")
        if own:
            loops[name]["tolerance"] = own
    lines = ",\n".join(f"        {json.dumps(name)}: {json.dumps(loop)}" for name, loop in loops.items())
    with open(THRESHOLDS, "w", encoding="utf-8") as file:
        file.write("{\n")
        file.write(f'    "measuredOn": {json.dumps(machine)},\n')
        file.write(f'    "tolerance": {json.dumps(thresholds["tolerance"])},\n')
        file.write('    "loops": {\n' + lines + "\n    }\n}\n")


def print_functions(loop, profile, limit):
    swift = shutil.which("swift")
    names = sorted(profile.instructions, key=profile.instructions.get, reverse=True)[:limit]
    readable = names
    if swift and names:
        done = subprocess.run(
            [swift, "demangle", "--simplified", "--compact"], input="\n".join(names) + "\n", capture_output=True,
            text=True)
        lines = done.stdout.splitlines()
        readable = lines if len(lines) == len(names) else names
    count = loop.iterations * loop.operations
    for name, text in zip(names, readable):
        own = profile.instructions[name]
        print(f"    {own / count:10.1f} {own / profile.total:6.1%}  {text[:200]}")


HEADER = f"{'loop':<18}{'instructions':>13}{'was':>10}{'mallocs':>10}{'was':>8}{'retains':>10}{'releases':>10}"


def row(name, found, threshold):
    old = threshold or {}
    return (
        f"{name:<18}{found['instructions']:>13.1f}{old.get('instructions', '-'):>10}"
        f"{found['allocations']:>10.2f}{old.get('allocations', '-'):>8}{found['retains']:>10.2f}{found['releases']:>10.2f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="See Benchmarks/README.md for how to read the figures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these loops")
    parser.add_argument("--binary", default=os.path.join(ROOT, ".build", "release", "martlet-hotloops"))
    parser.add_argument("--update", action="store_true", help="rewrite the thresholds of the loops that are run")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="show the N most expensive functions")
    options = parser.parse_args()

    if not os.access(options.binary, os.X_OK):
        raise Failure(f"there is no {options.binary}: run `make hotloops`")
    loops = list_loops(options.binary)
    unknown = set(options.names) - {loop.name for loop in loops}
    if unknown:
        raise Failure(f"there is no loop {', '.join(sorted(unknown))}; there are {', '.join(x.name for x in loops)}")
    chosen = [loop for loop in loops if not options.names or loop.name in options.names]

    # The loops with many sessions have both ends of each connection open.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    thresholds = load_thresholds()
    machine = toolchain(options.binary)
    # Another compiler makes other code, and nobody here is to blame for it.
    is_binding = machine == thresholds.get("measuredOn", machine)
    measured, wrong = {}, []
    if not options.json:
        print(HEADER)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="martlet-hotloops."))
        binary = without_debug_information(options.binary, folder)
        # Counts don't mind company, but valgrind runs one thread at a time.
        workers = concurrent.futures.ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1))
        runs = [workers.submit(run, binary, loop, folder) for loop in chosen]
        # Those that have not begun need not, once one has failed.
        stack.callback(workers.shutdown, cancel_futures=True)
        for loop, result in zip(chosen, runs):
            profile = result.result()
            found = counts(loop, profile)
            measured[loop.name] = found
            threshold = thresholds["loops"].get(loop.name)
            faults, notes = ([], []) if options.update else compare(found, threshold, thresholds["tolerance"])
            wrong += [f"{loop.name}: {fault}" for fault in faults]
            if options.json:
                continue
            print(row(loop.name, found, threshold))
            for note in faults + notes:
                print(f"    {note}")
            if options.functions:
                print_functions(loop, profile, options.functions)
            sys.stdout.flush()

    if not options.names and not options.update:
        gone = set(thresholds["loops"]) - set(measured)
        wrong += [f"{name}: has a threshold, but there is no such loop" for name in sorted(gone)]
    if options.json:
        print(json.dumps({"machine": machine, "loops": measured, "wrong": wrong}, indent=4))
    if options.update:
        save_thresholds(thresholds, measured, not options.names, machine)
        print(f"wrote {os.path.relpath(THRESHOLDS)}", file=sys.stderr)
    if wrong and not is_binding:
        print(
            f"The thresholds are of {thresholds['measuredOn']}, this is {machine}: differences are not counted as "
            "failures.", file=sys.stderr)
        return 0
    for line in wrong:
        print(f"WORSE {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"hotloops: {failure}", file=sys.stderr)
        sys.exit(1)
