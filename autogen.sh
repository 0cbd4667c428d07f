#!/bin/sh
# Make ./configure from configure.ac (needs autoconf, automake and pkg-config).
cd "$(dirname "$0")" && exec autoreconf --install --force
