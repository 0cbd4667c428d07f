#!/bin/sh
# resources.sh FILE.ptxas… - print registers and shared memory of every kernel, the maximum over all GPU generations.
# Kernels that spill registers to memory, or have a stack frame, are named, and the status is 1.
cat "$@" | tr -d "'" | awk '
    /Compiling entry function/ {name = $7; generation = $9; generations[generation]}
    /bytes stack frame/ {
        if ($1 + $5 + $9 > 0) {spilled = spilled "\n" name " on " generation ": " $0}
    }
    /Used [0-9]+ registers/ {
        count++
        registers = shared = 0
        for (i = 1; i <= NF; i++) {
            if ($(i + 1) ~ /^registers/) registers = $i + 0
            if ($(i + 2) ~ /^smem/ && $(i + 1) == "bytes") shared = $i + 0
        }
        if (!(name in most) || registers > most[name]) most[name] = registers
        if (shared > memory[name]) memory[name] = shared
    }
    END {
        for (name in most) printf "%-24s %3d registers %6d bytes shared\n", name, most[name], memory[name] | "sort"
        close("sort")
        for (generation in generations) named = named " " generation
        printf "%d kernels on %d generations:%s\n", length(most), length(generations), named
        if (spilled != "") {print "spilled:" spilled; exit 1}
        if (count == 0) {print "nothing was compiled"; exit 1}
    }'
