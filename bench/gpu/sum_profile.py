"""Adds up what `ncu --csv --metrics gpu__time_duration.sum` prints on stdin: a line for each of the slowest kernels."""
import csv
import re
import sys

MOST = 26


def main():
    lines = sys.stdin.read().splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if begin is None:
        sys.exit("no kernels: " + " ".join(lines[-3:]))
    times, counts = {}, {}
    for row in csv.DictReader(lines[begin:]):
        unit = {"ns": 1e-3, "us": 1, "usecond": 1, "nsecond": 1e-3, "ms": 1e3, "msecond": 1e3}[row["Metric Unit"]]
        name = re.sub(r"^(void )?|<unnamed>::|onnxruntime::|cuda::|\(.*$", "", row["Kernel Name"])
        name = f"{name[:90]} {row['Grid Size']}".replace(" ", "")
        times[name] = times.get(name, 0) + float(row["Metric Value"].replace(",", "")) * unit
        counts[name] = counts.get(name, 0) + 1
    total = sum(times.values())
    print(f"all {total:.0f} us, {sum(counts.values())} launches")
    for name in sorted(times, key=times.get, reverse=True)[:MOST]:
        print(f"{100 * times[name] / total:5.1f} % {times[name]:8.0f} {counts[name]:4d} {name}")


main()
