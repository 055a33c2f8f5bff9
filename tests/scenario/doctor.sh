#!/bin/sh
# The doctor command: a whole installation, weights missing or altered, and what is said about each.
# usage: doctor.sh PROGRAM MODELS
models=$(realpath "$2")
. "$(dirname "$0")/program.sh"

# expect NAME EXIT WORDS ARGUMENT...: runs doctor; stdout or stderr must have the words.
expect() {
    name=$1 code=$2 words=$3
    shift 3
    timeout 60 "$program" doctor "$@" >stdout 2>stderr
    got=$?
    if [ $got != "$code" ]; then
        not_ok "$name" "exit $got, expected $code: $(tail -n 3 stdout stderr)"
    elif ! cat stdout stderr | grep -q -- "$words"; then
        not_ok "$name" "no \"$words\" in: $(cat stdout stderr)"
    else
        ok "$name"
    fi
}

# also NAME WORDS: so did the run before.
also() {
    if grep -q -- "$2" stdout; then
        ok "$1"
    else
        not_ok "$1" "no \"$2\" in: $(cat stdout)"
    fi
}

if [ -e "$models/rvm.json" ] && [ -e "$models/movenet-multipose.json" ]; then
    expect "a whole installation" 0 "^verdict  *a job can run" --models-dir "$models"
    also "the network works" "CPU: passed"
    also "both networks' weights are intact" "^detector  *intact"
    also "encoders by output format" "prores4444: prores_ks"
    also "the device or what it lacks" "^driver  *\(NVIDIA\|missing\)"
    mkdir half
    ln -s "$models"/rvm.* half
    expect "without the detector jobs run" 0 "^detector  *missing: .*movenet" --models-dir=half
else
    skip "a whole installation" "no weights"
fi
expect "no folder of weights" 4 "no job can run here.*make setup" --models-dir nowhere
also "the missing file is named" "^RVM  *missing: nowhere/rvm.json"
also "the rest is told all the same" "ffv1_alpha: ffv1"
mkdir altered
printf '{"a": 1}' >altered/rvm.json
: >altered/rvm.bin
expect "altered weights" 4 "altered/rvm.json: not the known file" --models-dir altered
expect "an unknown argument" 1 "doctor: --frob is not understood; usage" --frob
expect "a folder that is not given" 1 "usage: vr180-streaming doctor" --models-dir
tap_done
