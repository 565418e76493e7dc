"""Leaves the image scan.tif as it is, and annotates it with the lines "key,value" of scan.csv beside it."""
import argparse, csv, json, os, sys

parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--inputfile", required=True)
path = parser.parse_known_args()[0].inputfile  # parameters that it does not know are passed over
sidecar = os.path.splitext(path)[0] + ".csv"
if not os.path.exists(sidecar):
    sys.exit(f"There is no {os.path.basename(sidecar)} beside {os.path.basename(path)}: put it there and retry the order.")
with open(sidecar, encoding="utf-8-sig", newline="") as lines:  # Excel begins a file with three bytes more
    pairs = [{key.strip(): values} for key, *values in filter(None, csv.reader(lines))]
print(json.dumps([{"name": os.path.basename(path), "full_path": path, "keyvalues": pairs}]))
