#!/bin/sh
# What SECURITY.md promises of files of others, where no other test shows it: docs/robustness.md says which test shows what.
. "$top_srcdir/tests/tap.sh"
plan 19
black_and_white set
"$espalier" run $tournament --out one --data idx:set --networks 2 --epochs 1 --start-epochs 1 --train-subset 64 --validation 32 \
    --devices cpu:1 --limit-flops 0 --headless >/dev/null 2>&1

# --- commands that only read leave a session as it is ---
contents() { (cd one.esp && find . -type f -exec cksum {} + | sort && find . | sort); }
contents >before
leaves() { ok "$*" "$espalier" "$@"; }
leaves show one
leaves show one --events
leaves show one:best
leaves compare one one
leaves eval one:best
leaves export one:best --out one.onnx
leaves morph one:best widen:conv1
leaves fsck one
leaves copy one two
leaves train one:best --epochs 1 --out three.safetensors
contents >after
cmp before after
report $? "and leave every file of the session as it was"

# --- limits on what a file may have ---
# With less memory than these files have.  The sanitizers take more than any limit.
small_memory() { if grep -q -e __asan_init -e __tsan_init "$espalier"; then "$@"; else (ulimit -v 500000 && exec "$@"); fi; }
truncate -s 1025M large.safetensors
says "weights above the limit, before they are read" 1 'large.safetensors: .*larger than' small_memory "$espalier" eval large.safetensors --data idx:set
gzip -c one.esp/weights/n1-*.safetensors >packed.safetensors
says "weights that are compressed are not unpacked" 1 'packed.safetensors: ' "$espalier" eval packed.safetensors --data idx:set
mkdir large
truncate -s 2049M large/train-images-idx3-ubyte
ln large/train-images-idx3-ubyte large/t10k-images-idx3-ubyte
cp set/*labels* large
says "images above the limit, before they are read" 1 'images-idx3-ubyte: larger than' small_memory "$espalier" eval one:best --data idx:large

# --- what is said before, and of the program itself ---
[ "$("$espalier" show one --events | head -n 1 | grep -c '"networks=2".*"epochs=1"')" = 1 ]
report $? "what a resume would train is in the first line of show --events"
ok "version says what it was hardened with" sh -c '"$0" version | grep -q "^hardening: "' "$espalier"
printf 'networks = 1\non-best = touch hurt\n' >hostile.ini
says "a preset can't ask for a command" 2 'on-best' "$espalier" run --preset ./hostile.ini --data idx:set --out hostile --headless
[ ! -e hurt ] && [ ! -e hostile.esp ]
report $? "and nothing of it is run"
starts=$(cd "$top_srcdir" && grep -rnE '\b(system|popen|exec[lv][pe]*|execvpe|fexecve|posix_spawnp?)\(' --include='*.c' src sessions tui | grep -vE '\* |//')
# What a person typed is run: --on-best and --on-end; and this program once more: from the list of sessions, to fork. That a log
# can't ask for a command is in tests/test_fork.c and tests/test_terminal_day.c. And PostgreSQL's programs, openssl and squeue.
starts=$(echo "$starts" | grep -vE '^src/cli/(hooks|child|fork|commands/farm_server_run)\.c:')
[ -z "$starts" ]
report $? "nothing in it starts another program"
[ -z "$starts" ] || echo "$starts" | sed 's/^/# /'
