#!/bin/sh
# Unpacks an image such as scan.tif.gz.
set -eu
while [ $# -gt 0 ]; do
	case $1 in --inputfile) input=$2 ;; --outputfolder) out=$2 ;; --altoutputfolder) alt=$2 ;; esac
	shift # one by one: parameters that it does not know are passed over, with a value or without
done
name=$(basename "$input" .gz)
gunzip -c <"$input" >"$out/$name"
[ -z "${alt-}" ] || cp "$out/$name" "$alt/$name" # without --altoutputfolder there is just the one
json=$(printf %s "$name" | sed 's/[\\"]/\\&/g')  # the name as JSON has it
printf '[{"name": "%s", "full_path": "%s", %s "keyvalues": {"unpacked_by": "gunzip"}}]\n' \
	"$json" "$out/$json" "${alt:+\"alt_path\": \"$alt/$json\",}"
